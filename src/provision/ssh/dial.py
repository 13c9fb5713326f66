"""Sockets of our own: TCP_NODELAY before the handshake, keep-alive, and proxy commands behind a socket pair."""

from __future__ import annotations

import socket
import subprocess

from provision.errors import UnreachableError
from provision.ssh import profile
from provision.ssh.alias import expand_proxy_command

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


class ProxySocket(socket.socket):
    """One end of a pair whose other end is a proxy command's stdin and stdout."""

    process: subprocess.Popen[bytes] | None = None
    code: int | None = None
    """How the command ended, if it was not we who ended it."""

    def close(self) -> None:
        """Close the socket and end the command; the end of its input is enough for most."""
        super().close()
        process, self.process = self.process, None
        if process is None:
            return
        try:
            self.code = process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def failure(self) -> UnreachableError | None:
        """Close, and return what to tell where the command failed by itself."""
        self.close()
        if not self.code:
            return None
        return UnreachableError(
            f"proxy_command ended with exit code {self.code} before the login",
            hint="what it printed stands above; type it by hand with the host and port put in",
        )


def proxy(command: str, *, address: str, port: int, user: str) -> ProxySocket:
    """Start a proxy command (AWS SSM, GCP IAP, corkscrew) and return a socket that speaks through it.

    ``%h``, ``%p``, ``%r`` and ``%%`` are replaced as ssh does; the three values were validated when they were read.

    Raises:
        UnreachableError: the command cannot be started.
    """
    line = expand_proxy_command(command, host=address, port=port, user=user)
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {line}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        raise UnreachableError(f"proxy_command cannot be started: {error}") from error
    finally:
        theirs.close()
    wrapped = ProxySocket(fileno=ours.detach())
    wrapped.process = process
    return wrapped
