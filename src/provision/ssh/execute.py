"""One drain loop for a command on a channel: both streams at once, live, in bounded memory, with a deadline."""

from __future__ import annotations

import select
import threading
import time
from typing import TYPE_CHECKING

from provision.errors import LinkLostError, StepFailedError, UnsupportedHostError
from provision.model.link import Completed, OnOutput
from provision.remote.frame import Frame
from provision.ssh import profile
from provision.ssh.calls import LOST, closed, taken

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    import paramiko

    from provision.remote.command import Command

STDOUT_LIMIT = 64 << 20
STDERR_KEPT = 64 << 10
PIECE = 256 << 10
PIECES = 64
"""Taken of one stream before the other, the deadline and the user have their turn."""
SHORT_DATA = 512 << 10
"""So much stdin fits any server's window: it is sent at once, without a thread."""
GRACE = 3.0
"""Seconds that the second stream may lag behind the first one's end line."""


def request_exec(channel: paramiko.Channel, line: str) -> None:
    """Ask for a command without waiting for the answer: stdin follows in the same flight, a round trip saved.

    paramiko's own `exec_command` waits. A refusal closes the channel, which the drain loop sees.
    """
    try:
        _request(channel, "exec", line, answer=True)
    except LOST as error:
        raise LinkLostError(f"the link was lost: {error or 'it was closed'}") from error


def request_signal(channel: paramiko.Channel, name: str) -> None:
    """Ask the server to send a signal to the command's process group (RFC 4254, 6.9; OpenSSH does since 7.9).

    Closing a channel alone leaves a silent command running for ever.
    """
    try:
        _request(channel, "signal", name, answer=False)
    except LOST:
        # The link is gone: nobody is there to be asked.
        return


def _request(channel: paramiko.Channel, kind: str, text: str, *, answer: bool) -> None:
    import paramiko
    from paramiko.common import cMSG_CHANNEL_REQUEST

    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string(kind)
    message.add_boolean(answer)
    message.add_string(text)
    channel.get_transport()._send_user_message(message)  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public way


class Drain:
    """Reads one command's two streams until both end lines are there."""

    def __init__(
        self,
        channel: paramiko.Channel,
        nonce: str,
        on_output: OnOutput | None,
        *,
        capture: bool,
        gathered: bool = False,
    ) -> None:
        self.channel = channel
        self.out = Frame(nonce)
        self.err = Frame(nonce)
        if gathered:
            self.err.exit_code = 0
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._on_output = on_output
        self._capture = capture
        self._first_end: float | None = None
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)

    def step(self, seconds: float) -> bool:
        """Wait for output at most so long, take all there is; return whether the command has ended."""
        self._poll.poll(max(0, int(seconds * 1000)))
        # A host that sends faster than we read must not keep us from looking at the clock.
        for _ in range(PIECES):
            if not self.channel.recv_ready():
                break
            self._take("stdout", self.out.feed(taken(self.channel.recv, PIECE)))
        for _ in range(PIECES):
            if not self.channel.recv_stderr_ready():
                break
            self._take("stderr", self.err.feed(taken(self.channel.recv_stderr, PIECE)))
        if self.out.exit_code is None:
            return False
        if self.err.exit_code is not None or self.over:
            return True
        # Some servers merge or drop stderr: its end line is waited for, but not for ever.
        self._first_end = self._first_end or time.monotonic()
        return time.monotonic() - self._first_end > GRACE

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        channel = self.channel
        ended = bool(channel.closed or channel.eof_received or not channel.get_transport().is_active())
        return ended and not channel.recv_ready() and not channel.recv_stderr_ready()

    def _take(self, name: str, piece: bytes) -> None:
        if not piece:
            return
        if name == "stderr":
            self.stderr += piece
            del self.stderr[:-STDERR_KEPT]
        elif self._capture:
            self.stdout += piece
            if len(self.stdout) > STDOUT_LIMIT:
                raise StepFailedError(f"the host sent more than {STDOUT_LIMIT >> 20} MiB where a short answer was due")
        if self._on_output is not None:
            self._on_output(name, piece)


def run_command(
    channel: paramiko.Channel,
    command: Command,
    *,
    timeout: float,
    on_output: OnOutput | None = None,
    capture: bool = True,
    stream: BinaryIO | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Completed:
    """Run a composed command on a fresh channel and return how it ended.

    Args:
        channel: an open session channel, closed on return.
        command: what to run and its stdin.
        timeout: seconds for the whole command.
        on_output: called with each piece of output as it comes, and with an empty one about once a second where
            none comes, so that it can raise and end a silent command.
        capture: whether stdout is also kept and returned.
        stream: more stdin after the command's own, read piece by piece.
        alive: called about once a second; raises when the link counts as dead.

    Raises:
        LinkLostError: the stream ended without the end line, or the time was up: the outcome is unknown.
        UnsupportedHostError: the server or its login shell does not run commands.
    """
    started = time.monotonic()
    drain = Drain(channel, command.nonce, on_output, capture=capture, gathered=command.gathered)
    try:
        request_exec(channel, command.line)
        sender = _send(channel, command.stdin, stream)
        while not drain.step(1.0):
            alive()
            if on_output is not None:
                on_output("stdout", b"")
            if drain.over and drain.out.exit_code is None:
                raise _no_end_line(drain)
            if time.monotonic() - started > timeout:
                raise LinkLostError(f"no end after {timeout:.0f} s: its outcome is unknown")
        if sender is not None:
            sender.join(timeout=profile.CHANNEL)
    finally:
        if drain.out.exit_code is None and not drain.over:
            request_signal(channel, "TERM")
        closed(channel)
    return Completed(
        code=drain.out.exit_code or 0,
        stdout=bytes(drain.stdout),
        stderr=bytes(drain.stderr),
        seconds=time.monotonic() - started,
    )


def _send(channel: paramiko.Channel, stdin: bytes, stream: BinaryIO | None) -> threading.Thread | None:
    def pour() -> None:
        try:
            channel.sendall(stdin)
            if stream is not None:
                while piece := stream.read(PIECE):
                    channel.sendall(piece)
            channel.shutdown_write()
        except LOST:
            # The drain loop sees the same closed channel and says what it means.
            return

    if stream is None and len(stdin) <= SHORT_DATA:
        # A server that never opens its window must not hold us: the drain loop watches the time.
        channel.settimeout(profile.CHANNEL)
        pour()
        channel.settimeout(None)
        return None
    thread = threading.Thread(target=pour, name="provision-stdin", daemon=True)
    thread.start()
    return thread


def _no_end_line(drain: Drain) -> Exception:
    said = (drain.out.rest() + drain.err.rest()).decode("utf-8", "replace").strip()
    if not drain.channel.get_transport().is_active():
        return LinkLostError("the link was lost while a command ran")
    if not drain.out.begun:
        last = said.splitlines()[-1].strip() if said else "nothing"
        return UnsupportedHostError(
            f"it lets us log in but does not run commands (it said: {last})",
            hint="is this a gateway that only opens terminals, or is the login shell nologin or restricted? "
            "Use the provider's address that allows `ssh HOST command`",
            detail=said or None,
        )
    return LinkLostError("a command was cut off on the host: its outcome is unknown", detail=said or None)
