"""Calls of a channel that write to the link: paramiko lets EOFError out of them where the link is lost.

Reading writes as well: what was read is told to the peer, so that it may send as much again.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import paramiko

from provision.errors import LinkLostError

if TYPE_CHECKING:
    from collections.abc import Callable

LOST = (paramiko.SSHException, OSError, EOFError)
"""What a call raises on a link that is lost."""


def taken(read: Callable[[int], bytes], most: int) -> bytes:
    """Return what `recv` or `recv_stderr` of a channel reads.

    Raises:
        LinkLostError: the link is lost, and what had come with it.
    """
    try:
        return read(most)
    except LOST as error:
        raise LinkLostError("the link was lost", detail=str(error) or None) from error


def closed(channel: paramiko.Channel) -> None:
    """Close a channel; on a lost link it is closed already."""
    with contextlib.suppress(*LOST):
        channel.close()
