"""Joins this terminal to a channel: raw bytes both ways, window changes passed on."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING, Any

from provision.remote.command import quote
from provision.ssh import profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    import paramiko


def interact(transport: paramiko.Transport, command: list[str]) -> int:
    """Run a shell, or a command, on a terminal of the host, until it ends; return its exit code.

    The bytes of the host go to the terminal as they are: that is what a terminal session is.
    """
    transport.set_keepalive(int(profile.HEARTBEAT))
    channel = transport.open_session(window_size=profile.WINDOW, timeout=profile.CHANNEL)
    has_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if has_terminal:
        size = shutil.get_terminal_size()
        channel.get_pty(os.environ.get("TERM", "xterm"), size.columns, size.lines)
    if command:
        channel.exec_command(" ".join(quote(one) for one in command))
    else:
        channel.invoke_shell() if has_terminal else channel.exec_command('exec "$SHELL"')
    with (
        _raw() if has_terminal else contextlib.nullcontext(),
        _window_changes(channel, has_terminal=has_terminal),
    ):
        _pump(channel)
    code = channel.recv_exit_status()
    channel.close()
    return code if code >= 0 else 255


def _pump(channel: paramiko.Channel) -> None:
    stdin: int | None = sys.stdin.fileno()
    while True:
        waiting: list[Any] = [channel] if stdin is None else [channel, stdin]
        with contextlib.suppress(InterruptedError):
            ready, _, _ = select.select(waiting, [], [], 1.0)
            if stdin is not None and stdin in ready:
                typed = os.read(stdin, 4096)
                if typed:
                    channel.sendall(typed)
                else:
                    channel.shutdown_write()
                    stdin = None
        done = _take(channel)
        if done:
            return


def _take(channel: paramiko.Channel) -> bool:
    """Write what has come; return whether nothing more can."""
    moved = False
    while channel.recv_ready():
        sys.stdout.buffer.write(channel.recv(65536))
        moved = True
    while channel.recv_stderr_ready():
        sys.stderr.buffer.write(channel.recv_stderr(65536))
        moved = True
    if moved:
        sys.stdout.flush()
        sys.stderr.flush()
        return False
    return channel.exit_status_ready() or channel.closed or not channel.get_transport().is_active()


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _window_changes(channel: paramiko.Channel, *, has_terminal: bool) -> Iterator[None]:
    if not has_terminal:
        yield
        return

    def resize(number: int, frame: object) -> None:  # noqa: ARG001 - the signature of a signal handler
        size = shutil.get_terminal_size()
        channel.resize_pty(size.columns, size.lines)

    before = signal.signal(signal.SIGWINCH, resize)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
