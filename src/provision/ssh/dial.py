"""Sockets of our own: TCP_NODELAY before the handshake, keep-alive, acknowledgements at once."""

from __future__ import annotations

import socket

from provision.errors import UnreachableError
from provision.ssh import profile

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

    Without TCP_NODELAY each command waits for a delayed acknowledgement (40 ms even on loopback).

    Raises:
        UnreachableError: nobody answers there; the message says why.
    """
    try:
        sock = socket.create_connection((address, port), timeout=profile.CONNECT)
    except socket.gaierror as error:
        raise UnknownNameError(
            f"{address}: the name cannot be resolved ({error.strerror})",
            hint="check `address:` in hosts.yaml",
        ) from error
    except TimeoutError as error:
        raise SilentError(
            f"{address}:{port}: no answer within {profile.CONNECT:.0f} s",
            hint="is the machine running, and does its firewall or security group let this port in?",
        ) from error
    except OSError as error:
        raise UnreachableError(
            f"{address}:{port}: {error.strerror or error}",
            hint="is sshd running there, on this port?" if isinstance(error, ConnectionRefusedError) else None,
        ) from error
    tune(sock)
    timeout = sock.gettimeout()
    prompt = PromptSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    prompt.settimeout(timeout)
    return prompt


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
