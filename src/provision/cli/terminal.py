"""Joins this terminal to a channel: raw bytes both ways, window changes passed on."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import threading
import tty
from typing import TYPE_CHECKING, Any, NoReturn

from provision.cli.escapes import HELP, Escapes
from provision.errors import InterruptedRunError, LinkLostError
from provision.ssh import calls
from provision.ssh.interactive import begin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import paramiko

PIECE = 64 << 10
LOST = 255
"""The exit code of a command that has none, as ssh has it: it was ended by a signal, or left by `~.`."""


def interact(channel: paramiko.Channel, alive: Callable[[], None], command: tuple[str, ...]) -> int:
    """Run a shell, or a command, on a terminal of the host, until it ends; return its exit code.

    The bytes of the host go to the terminal as they are: that is what a terminal session is. On a terminal `~.` at the
    beginning of a line ends the session.

    Args:
        channel: A fresh session.
        alive: Called about once a second; raises when the link counts as dead.
        command: What to run instead of the login shell.

    Raises:
        LinkLostError: the link broke.
        UnsupportedHostError: the server opens no terminal, or runs no command.
    """
    has_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    begin(channel, command, os.environ.get("TERM", "xterm") if has_terminal else None)
    typing = Typing(channel, Escapes() if has_terminal else None)
    with _raw() if has_terminal else contextlib.nullcontext(), _window_changes(wanted=has_terminal) as changed:
        _pump(channel, alive, changed, typing)
    if typing.left:
        print("session ended by ~.", file=sys.stderr)
        return LOST
    if channel.exit_status < 0 and not channel.get_transport().is_active():
        raise LinkLostError("the link was lost")
    code = channel.recv_exit_status()
    calls.closed(channel)
    return code if code >= 0 else LOST


class Typing(threading.Thread):
    """Passes on what is typed, and sees when the person wants to leave.

    Apart from what comes: a host that takes no more input until its output is read must not stop both.
    """

    def __init__(self, channel: paramiko.Channel, escapes: Escapes | None) -> None:
        super().__init__(name="provision-stdin", daemon=True)
        self._channel = channel
        self._escapes = escapes
        self.left = False
        """Whether the session was ended here, by `~.`."""
        self.wake = -1
        """Where a byte wakes who waits for the host."""

    def run(self) -> None:
        """Read until the end of the input, or until the person leaves."""
        try:
            while piece := os.read(sys.stdin.fileno(), PIECE):
                if self._escapes is not None:
                    typed = self._escapes.read(piece)
                    if typed.asks:
                        os.write(sys.stderr.fileno(), b"\r\n" + HELP.replace("\n", "\r\n").encode())
                    if typed.leave:
                        # What was typed before it goes nowhere: a host that hangs would keep us here.
                        self.left = True
                        with contextlib.suppress(OSError):
                            os.write(self.wake, b".")
                        return
                    piece = typed.data
                self._channel.sendall(piece)
            self._channel.shutdown_write()
        except calls.LOST:
            # The channel is closed: who waits for the host says what it means.
            return


def _pump(channel: paramiko.Channel, alive: Callable[[], None], pipe: tuple[int, int], typing: Typing) -> None:
    changed, typing.wake = pipe
    typing.start()
    while not typing.left:
        if channel.eof_received:
            # Its end makes the channel readable for good: only the exit code is still to come.
            channel.status_event.wait(0.05)
        else:
            waiting: list[Any] = [channel, changed]
            ready, _, _ = select.select(waiting, [], [], 1.0)
            if typing.left:
                return
            if changed in ready:
                os.read(changed, PIECE)
                size = shutil.get_terminal_size()
                channel.resize_pty(size.columns, size.lines)
        # Asked before the rest is taken: nothing can come after it.
        ended = _ended(channel)
        _take(channel)
        if ended:
            return
        alive()


def _ended(channel: paramiko.Channel) -> bool:
    lost = channel.closed or not channel.get_transport().is_active()
    return bool(lost or (channel.eof_received and channel.exit_status_ready()))


def _take(channel: paramiko.Channel) -> None:
    """Write what has come."""
    while channel.recv_ready():
        sys.stdout.buffer.write(calls.taken(channel.recv, PIECE))
        sys.stdout.buffer.flush()
    while channel.recv_stderr_ready():
        sys.stderr.buffer.write(calls.taken(channel.recv_stderr, PIECE))
        sys.stderr.buffer.flush()


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Give every key to the host; whatever ends us, the terminal is as it was before."""

    def leave(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - the signature of a signal handler
        raise InterruptedRunError(f"ended by {signal.Signals(number).name}")

    before = termios.tcgetattr(sys.stdin)
    handlers = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    tty.setraw(sys.stdin.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _window_changes(*, wanted: bool) -> Iterator[tuple[int, int]]:
    """Yield a pipe that becomes readable when the window's size changes, and its other end to wake who waits on it.

    The handler itself must not send: it may interrupt this thread while it holds the transport's lock.
    """
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)

    def note(number: int, frame: object) -> None:  # noqa: ARG001 - the signature of a signal handler
        with contextlib.suppress(BlockingIOError):
            os.write(theirs, b".")

    before = signal.signal(signal.SIGWINCH, note) if wanted else None
    try:
        yield ours, theirs
    finally:
        if before is not None:
            signal.signal(signal.SIGWINCH, before)
        os.close(ours)
        os.close(theirs)
