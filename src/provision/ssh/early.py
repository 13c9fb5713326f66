"""Dials before the SSH library is even imported: the handshake's first two round trips pass while Python loads modules.

The client's identification line is sent at once, as RFC 4253 section 4.2 allows, so the server's own line and its key
exchange offer are already there when the library begins.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from provision import __version__
from provision.ssh.dial import PromptSocket, dial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.errors import UnreachableError
    from provision.ssh.route import Route

IDENTIFICATION = f"SSH-2.0-provision_{__version__}"
STALE = 10.0
"""Seconds after which a socket that nobody took is not used: servers hang up on clients that say nothing more."""


class EarlySocket(PromptSocket):
    """A connected socket over which the identification line has already gone out."""

    _sent = (IDENTIFICATION + "\r\n").encode()

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]  # only bytes come here
        """Send, but leave out the line that was sent before."""
        sent, self._sent = self._sent, b""
        if not sent:
            return super().send(data, flags)
        if not data.startswith(sent):
            raise OSError("the identification line is not the one that was announced")
        return len(sent) + (super().send(data[len(sent) :], flags) if len(data) > len(sent) else 0)


class _Call(threading.Thread):
    def __init__(self, address: str, port: int) -> None:
        super().__init__(name="provision-dial", daemon=True)
        self._where = (address, port)
        self._began = time.monotonic()
        self._socket: EarlySocket | None = None
        self._error: UnreachableError | None = None

    def run(self) -> None:
        from provision.errors import UnreachableError

        try:
            plain = dial(*self._where)
        except UnreachableError as error:
            self._error = error
            return
        try:
            plain.sendall(EarlySocket._sent)  # noqa: SLF001 - the line is the class's own
        except OSError:
            plain.close()
            return
        timeout = plain.gettimeout()
        self._socket = EarlySocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self._socket.settimeout(timeout)

    def result(self) -> EarlySocket | None:
        self.join()
        if self._error is not None:
            raise self._error
        if self._socket is not None and time.monotonic() - self._began > STALE:
            self._socket.close()
            return None
        return self._socket


_calls: dict[tuple[str, int], _Call] = {}


def dial_early(routes: Iterable[Route], most: int) -> None:
    """Begin to dial the first hop of each route, at most so many, without waiting."""
    for route in routes:
        first = route.hops[0].host
        where = (first.address, first.port)
        if first.proxy_command or where in _calls:
            continue
        if len(_calls) >= most:
            return
        _calls[where] = _Call(*where)
        _calls[where].start()


def take(address: str, port: int) -> EarlySocket | None:
    """Return the socket that was dialled for this address, once; ``None`` where there is none.

    Raises:
        UnreachableError: nobody answered.
    """
    call = _calls.pop((address, port), None)
    return call.result() if call is not None else None
