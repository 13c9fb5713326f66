"""Sockets of our own: TCP_NODELAY before the handshake, keep-alive, acknowledgements at once."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from typing import TYPE_CHECKING, Any, cast

from provision.errors import UnreachableError
from provision.ssh import profile
from provision.ssh.names import RESOLVE, SlowLookupError, endpoints

if TYPE_CHECKING:
    from provision.ssh.names import Endpoint

HEAD_START = 1.0
"""Seconds that an address has before the next one is tried beside it: a far machine answers within it."""
_NO_ANSWER = {socket.EAI_AGAIN, socket.EAI_FAIL}
_LOOKUP = "is this machine's network up, and do its name servers (/etc/resolv.conf) answer?"

QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux alone has it."""


class UnknownNameError(UnreachableError):
    """The name does not resolve: trying again does not help."""


class SilentError(UnreachableError):
    """It let the whole time limit pass: at a first contact, trying again only makes the user wait."""


class PromptSocket(socket.socket):
    """A TCP socket that acknowledges at once what it receives.

    OpenSSH leaves Nagle's algorithm on for commands: it holds a small packet back until the one before is acknowledged,
    and a delayed acknowledgement (40 ms) makes each such wait longer than the round trip.
    """

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive, with the acknowledgement not delayed; the option holds only for a while, so it is set each time."""
        if QUICK_ACK is not None:
            self.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)
        return super().recv(size, flags)


def dial(address: str, port: int) -> PromptSocket:
    """Connect to a TCP port with the options that SSH over slow links needs.

    Of several addresses the first to answer is taken.
    Without TCP_NODELAY each command waits for a delayed acknowledgement (40 ms even on loopback).

    Raises:
        UnreachableError: nobody answers there; the message says why.
    """
    try:
        where = endpoints(address, port)
    except SlowLookupError:
        raise SilentError(
            f"{address}: the lookup of the name gave no answer within {RESOLVE:.0f} s", hint=_LOOKUP
        ) from None
    except socket.gaierror as error:
        if error.errno in _NO_ANSWER:
            raise SilentError(f"{address}: the name cannot be resolved now ({error.strerror})", hint=_LOOKUP) from error
        raise UnknownNameError(
            f"{address}: the name cannot be resolved ({error.strerror})",
            hint="check `address:` in hosts.yaml",
        ) from error
    several = f" (at any of its addresses {', '.join(str(one[0]) for _, one in where)})" if len(where) > 1 else ""
    try:
        sock = first_to_answer(where, profile.CONNECT)
    except TimeoutError as error:
        raise SilentError(
            f"{address}:{port}: no answer within {profile.CONNECT:.0f} s{several}",
            hint="is the machine running, and does its firewall or security group let this port in?",
        ) from error
    except OSError as error:
        raise UnreachableError(
            f"{address}:{port}: {error.strerror or error}{several}",
            hint="is sshd running there, on this port?" if isinstance(error, ConnectionRefusedError) else None,
        ) from error
    tune(sock)
    prompt = PromptSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    prompt.settimeout(profile.CONNECT)
    return prompt


def first_to_answer(where: list[Endpoint], seconds: float) -> socket.socket:
    """Return a socket that is connected to the first address that takes it, the earlier ones having a head start.

    An address that fails is followed by the next one at once, one that is silent after `HEAD_START` (RFC 8305).

    Raises:
        OSError: every address failed; TimeoutError where one of them was silent.
    """
    end = time.monotonic() + seconds
    left, waiting, failure = list(where), selectors.DefaultSelector(), OSError("there is no address")
    try:
        while left or waiting.get_map():
            if left:
                try:
                    waiting.register(_begun(*left.pop(0)), selectors.EVENT_WRITE)
                except OSError as error:
                    failure = _more_telling(failure, error)
                    continue
            now = time.monotonic()
            if now >= end:
                raise TimeoutError
            for key, _ in waiting.select(min(HEAD_START, end - now) if left else end - now):
                sock: Any = key.fileobj
                waiting.unregister(sock)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    return cast("socket.socket", sock)
                sock.close()
                failure = _more_telling(failure, OSError(code, os.strerror(code)))
        raise failure
    finally:
        for key in tuple(waiting.get_map().values()):
            cast("socket.socket", key.fileobj).close()
        waiting.close()


def _begun(family: int, where: tuple[str | int, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    code = sock.connect_ex(where)
    if code not in {0, errno.EINPROGRESS}:
        sock.close()
        raise OSError(code, os.strerror(code))
    return sock


def _more_telling(before: OSError, now: OSError) -> OSError:
    """A machine that refuses is there; that a network cannot be reached is often only this machine's want of IPv6."""
    return before if isinstance(before, ConnectionRefusedError) else now


def tune(sock: socket.socket) -> None:
    """Set the options that each phase relies on; what this system lacks is left out."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", profile.KEEPALIVE_IDLE),
        ("TCP_KEEPINTVL", profile.KEEPALIVE_INTERVAL),
        ("TCP_KEEPCNT", profile.KEEPALIVE_COUNT),
        ("TCP_USER_TIMEOUT", profile.USER_TIMEOUT_MS),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
