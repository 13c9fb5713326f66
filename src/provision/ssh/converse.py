"""A conversation with a program on the host: bytes go both ways at once, for as long as both have something to say."""

from __future__ import annotations

import contextlib
import select
import time
from typing import TYPE_CHECKING

from provision.errors import LinkLostError, UnsupportedHostError
from provision.remote.command import CANNOT_UNPACK, converse_line, unpacked_line
from provision.ssh.calls import LOST, closed, taken
from provision.ssh.execute import PIECE, STDERR_KEPT, request_exec, request_signal

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

NOISE = 64 << 10
"""Bytes of what rc files print that are looked through for the program's first word."""
ASK_ALIVE = 1.0
"""Seconds between two looks at the link while the host's window is full."""
KILLED = -1
"""What paramiko says of a command that ended by a signal."""
KILLED_BELOW = frozenset({128 + 1, 128 + 9, 128 + 15})
"""What a shell says of a program of its own that ended by SIGHUP, SIGKILL or SIGTERM."""
KILLED_WORDS = ("Hangup", "Killed", "Terminated")
"""What it writes then."""
LAST_WORD = 2.0
"""Seconds in which an exit code may follow the end of the output."""
PACKET = 32 << 10
"""Bytes that OpenSSH takes in one message."""


class SshConversation:
    """The open channel of one program; `send` and `receive` may be called from a thread each."""

    def __init__(
        self,
        open_channel: Callable[[], paramiko.Channel],
        script: str,
        *,
        nonce: str,
        alive: Callable[[], None],
        first: bytes = b"",
    ) -> None:
        """`first` goes to the program's stdin at once, before it has said a word."""
        self._open_channel = open_channel
        self._script = script
        self._nonce = nonce
        self._alive = alive
        self._first = first
        self._begin = f"\n{nonce} begin\n".encode()
        self._cannot = f"{nonce} end {CANNOT_UNPACK}\n".encode()
        self._buffer = b"\n"
        self.begun = False
        """Whether the program said its first word."""
        self._sent = False
        self.stderr = bytearray()
        """Its last 64 KiB."""
        self._channel = open_channel()
        self._poll = self._polled()
        request_exec(self._channel, converse_line(script, nonce))
        if first:
            self._pour(first)

    def send(self, data: bytes) -> None:
        """Send all of it, waiting while the host's window is full.

        Raises:
            LinkLostError: the link broke, or the program went away.
        """
        self._sent = True
        self._pour(data)

    def _pour(self, data: bytes) -> None:
        channel, view = self._channel, memoryview(data)
        channel.settimeout(ASK_ALIVE)
        at = 0
        while at < len(view):
            try:
                sent = channel.send(bytes(view[at : at + PACKET]))
            except TimeoutError:
                self._alive()
                continue
            except LOST as error:
                raise LinkLostError(f"the link was lost: {error or 'it was closed'}") from error
            if sent == 0:
                raise LinkLostError("the link was lost while data was sent")
            at += sent

    def receive(self, seconds: float) -> bytes:
        """Return what came next of the program's output; nothing where none came in so many seconds.

        Raises:
            LinkLostError: the stream ended, or the host is silent.
            UnsupportedHostError: the host runs no commands.
        """
        deadline = time.monotonic() + seconds
        while True:
            ended = self._ended()
            if self._channel.recv_stderr_ready():
                self.stderr += taken(self._channel.recv_stderr, PIECE)
                del self.stderr[:-STDERR_KEPT]
            if self._channel.recv_ready():
                if piece := self._spoken(taken(self._channel.recv, PIECE)):
                    return piece
                continue
            if ended:
                raise self._no_more()
            left = deadline - time.monotonic()
            if left <= 0:
                self._alive()
                return b""
            self._poll.poll(int(min(left, ASK_ALIVE) * 1000) + 1)
            self._alive()

    def finish(self) -> None:
        """Let the program see the end of its input."""
        with contextlib.suppress(*LOST):
            self._channel.shutdown_write()

    def close(self) -> None:
        """End the conversation; the program is told, where it still runs."""
        if not self._ended():
            request_signal(self._channel, "TERM")
        closed(self._channel)

    def _polled(self) -> select.poll:
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        return poll

    def _ended(self) -> bool:
        channel = self._channel
        return bool(channel.closed or channel.eof_received or not channel.get_transport().is_active())

    def _spoken(self, piece: bytes) -> bytes:
        """Return what of this the program said itself: what comes before its first word is noise."""
        if self.begun:
            return piece
        self._buffer += piece
        at = self._buffer.find(self._begin)
        if at < 0:
            self._buffer = self._buffer[-NOISE:]
            return b""
        payload = self._buffer[at + len(self._begin) :]
        if len(payload) < len(self._cannot) and self._cannot.startswith(payload):
            # Nothing yet, or the start of what a host says that cannot unpack the script.
            return b""
        if payload.startswith(self._cannot) and not self._sent:
            self._begin_again()
            return b""
        self.begun, self._buffer = True, b""
        return payload

    def _begin_again(self) -> None:
        """Send the script as it is, to a host that has no base64 or no gzip."""
        closed(self._channel)
        self._buffer = b"\n"
        line, script = unpacked_line(self._script, self._nonce)
        self._channel = self._open_channel()
        self._poll = self._polled()
        request_exec(self._channel, line)
        self.send(script + self._first)
        self._cannot = b"\0"

    def _no_more(self) -> Exception:
        said = (self._buffer + bytes(self.stderr)).decode("utf-8", "replace").strip()
        channel = self._channel
        if self.begun or not channel.get_transport().is_active():
            return LinkLostError("the link was lost in the middle of a conversation", detail=said or None)
        # A command that ends by itself has an exit code, a refused one no end of output: this one was killed.
        channel.status_event.wait(LAST_WORD)
        # Its shell may outlive it, and say so in a word of its own before it is killed too.
        killed = channel.exit_status == KILLED and (not said or said.endswith(KILLED_WORDS))
        if channel.eof_received and (killed or channel.exit_status in KILLED_BELOW):
            return LinkLostError("a program was killed on the host before its first word")
        last = said.splitlines()[-1].strip() if said else "nothing"
        return UnsupportedHostError(
            f"it lets us log in but does not run commands (it said: {last})",
            hint="is this a gateway that only opens terminals, or is the login shell nologin or restricted? "
            "Use the provider's address that allows `ssh HOST command`",
            detail=said or None,
        )
