"""Bounds what a server may say before its identification line: neither bytes nor time without end."""

from __future__ import annotations

import re
import time
from typing import Any

from provision.ssh import profile

MOST = 64 << 10
"""Bytes before the identification line and with it; RFC 4253, section 4.2, sets no bound to the lines before."""
_IDENTIFICATION = re.compile(rb"(?:^|\n)SSH-[^\n]*\n")


class EndlessGreetingError(OSError):
    """What speaks there has not become an SSH server in time."""


class Greeted:
    """A socket, or a channel, whose first bytes are counted; later it is as if it was not there."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._seen = b""
        self._until = time.monotonic() + profile.BANNER

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        """Receive; the library would otherwise read a line without end for ever.

        Raises:
            EndlessGreetingError: too much, or for too long, without an identification line.
        """
        piece: bytes = self._sock.recv(size)
        self._seen += piece
        if _IDENTIFICATION.search(self._seen):
            self._seen = b""
            self.recv = self._sock.recv  # type: ignore[method-assign]  # each further call costs nothing
        elif len(self._seen) > MOST or time.monotonic() > self._until:
            raise EndlessGreetingError("it sends text, but no SSH identification line")
        return piece
