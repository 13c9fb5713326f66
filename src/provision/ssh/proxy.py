"""Proxy commands: a program's stdin and stdout in the place of a TCP connection."""

from __future__ import annotations

import socket
import subprocess

from provision.errors import UnreachableError
from provision.ssh.alias import expand_proxy_command


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
