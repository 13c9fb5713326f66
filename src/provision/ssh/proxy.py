"""Proxy commands: a program's stdin and stdout in the place of a TCP connection, ended in every way that a run ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

from provision.errors import UnreachableError
from provision.ssh.alias import expand_proxy_command

EOF_SECONDS = 0.3
"""A command is given so long to end by itself once its input has ended, as most do."""
TERM_SECONDS = 1.0
"""And so long to end after SIGTERM."""
KILL_SECONDS = 1.0
"""And so long for the system to end it after that."""

_running: set[ProxySocket] = set()
_lock = threading.Lock()
_over = False
"""Whether the run has ended: no further command may begin."""


class ProxySocket(socket.socket):
    """One end of a pair whose other end is a proxy command's stdin and stdout."""

    process: subprocess.Popen[bytes]
    ending: threading.Lock
    code: int | None = None
    """How the command ended, if it was not we who ended it."""
    stubborn: bool = False
    """Whether it outlived the end of its input. From then on its whole group is ended: its shell may go first."""

    def close(self) -> None:
        """Close the socket and end the command; safe to call twice, and from several threads."""
        end_input(self)
        super().close()
        with self.ending:
            if self in _running:
                _end([self])
                # Only now: until it has ended, it is for `end_all` to end.
                _running.discard(self)

    def failure(self) -> UnreachableError | None:
        """Close, and return what to tell where the command failed by itself."""
        self.close()
        if not self.code:
            return None
        return UnreachableError(
            f"proxy_command ended with exit code {self.code} before the login",
            hint="what it printed stands above; type it by hand with the host and port put in",
        )


def end_input(sock: socket.socket) -> None:
    """Let the command read the end of its input; closing alone would not, while another thread waits to read."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def end_all() -> None:
    """End every proxy command, and let no other begin; for the end of the process, whoever still uses one."""
    global _over  # noqa: PLW0603 - the process ends once
    with _lock:
        _over = True
        left = list(_running)
    for one in left:
        end_input(one)
    _end(left)


def proxy(command: str, *, address: str, port: int, user: str) -> ProxySocket:
    """Start a proxy command (AWS SSM, GCP IAP, corkscrew) and return a socket that speaks through it.

    ``%h``, ``%p``, ``%r`` and ``%%`` are replaced as ssh does; the three values were validated when they were read.

    Raises:
        UnreachableError: the command cannot be started.
    """
    line = expand_proxy_command(command, host=address, port=port, user=user)
    ours, theirs = socket.socketpair()
    try:
        # Held meanwhile: what is begun is either seen by `end_all`, or not begun.
        with _lock:
            if _over:
                raise UnreachableError("the run was stopped")
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {line}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                # A group of its own: the terminal's Ctrl-C is ours to judge, and what it starts ends with it.
                start_new_session=True,
            )
            wrapped = ProxySocket(fileno=ours.detach())
            wrapped.process, wrapped.ending = process, threading.Lock()
            _running.add(wrapped)
    except OSError as error:
        raise UnreachableError(f"proxy_command cannot be started: {error}") from error
    finally:
        ours.close()
        theirs.close()
    return wrapped


def _end(sockets: list[ProxySocket]) -> None:
    """End commands whose input has ended, all at once, and note the exit codes of those that end by themselves."""
    deadline = time.monotonic() + EOF_SECONDS
    for one in sockets:
        # What another thread, or this one before a Ctrl-C, has begun to end is ended to the last process.
        if one.stubborn:
            continue
        if _ends(one.process, deadline):
            one.code = one.process.returncode
        else:
            one.stubborn = True
    stubborn = [one.process for one in sockets if one.stubborn]
    for number, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        # The whole group, also once its first process has ended: a shell may wait there for what does not.
        for process in stubborn:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
        deadline = time.monotonic() + seconds
        for process in stubborn:
            _ends(process, deadline)


def _ends(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True
