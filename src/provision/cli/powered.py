"""`up --power-on`: machines that are stopped are started first, and waited for until they greet."""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING

from provision.cli.power import start_all
from provision.cli.workspace import Workspace
from provision.report.display import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from provision.model.host import Host

LONGEST = 300.0
"""Seconds for a started machine's sshd to come; a first boot takes two or three minutes."""
BETWEEN = 2.0
GREETING = b"SSH-"


def powered(asked: argparse.Namespace) -> Workspace:
    """Start what is stopped of the hosts that are meant, and return the workspace with the addresses of now.

    Raises:
        CloudError: a cloud refuses, or a machine does not come.
        UsageError: no such host.
    """
    workspace = Workspace.open(asked.inventory, refresh=True)
    stopped = [host for host in workspace.select(asked.hosts) if _is_stopped(host)]
    if not stopped:
        return workspace
    done = start_all(stopped)
    failed = [one.failure for one in done.values() if one.failure is not None]
    if failed:
        raise failed[0]
    workspace = Workspace.open(asked.inventory, refresh=True)
    for host in stopped:
        await_greeting(workspace.host(host.name), _tell)
    return workspace


def _is_stopped(host: Host) -> bool:
    return host.provider is not None and host.provider.state in {"stopped", "stopping", "starting"}


def await_greeting(host: Host, tell: Callable[[str], None], longest: float = LONGEST) -> None:
    """Wait until a machine's sshd greets; one behind a jump host or a command is not waited for."""
    if host.jump or host.proxy_command:
        return
    end = time.monotonic() + longest
    told = False
    while time.monotonic() < end:
        try:
            with socket.create_connection((host.address, host.port), timeout=BETWEEN) as connection:
                if connection.recv(len(GREETING)).startswith(GREETING):
                    return
        except OSError:
            pass
        if not told:
            tell(f"{host.name}: running, waiting for its sshd")
            told = True
        time.sleep(BETWEEN)
    tell(f"{host.name}: its sshd did not greet within {longest / 60:.0f} minutes; trying all the same")


def _tell(text: str) -> None:
    print(one_line(text), file=sys.stderr, flush=True)
