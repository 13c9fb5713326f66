"""The host's messages as they come, with an eye on the clock and on the user."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from provision.errors import InterruptedRunError, LinkLostError, StepFailedError, UnreachableError
from provision.sync.pulling import Messages, beat, decoded

if TYPE_CHECKING:
    from provision.engine.stop import Stop
    from provision.model.link import Conversation

SILENCE = 60.0
"""Seconds without a byte after which the program counts as lost; it gives a sign of life every few seconds."""
WAIT = 1.0
"""Seconds of one look at the link."""
STALL = 120.0
LEAST = 4096
"""Bytes that must come in `STALL` seconds, or be read again on the host: less would take for ever."""

HINTS = {
    "python": "`provision up HOST` installs one",
    "many": "pull a part of it, or --yes for ten times as many",
    "closed": "its owner can let you in, or another login can read it (`user` in hosts.yaml)",
    "unmade": "what it wrote into linked folders (data/, persist:) is in the project's own: provision pull HOST:PATH",
    "missing": "HOST:PATH is below the project's folder there (~/: the home, /: the root), JOB:PATH below its snapshot",
}


class Stream:
    """One conversation's messages."""

    def __init__(self, conversation: Conversation, stop: Stop) -> None:
        self._conversation = conversation
        self._stop = stop
        self._messages = Messages()
        self._waiting: deque[tuple[bytes, bytes]] = deque()
        # Of the clock, only waiting counts: we may have been busy with a large file of ours, or suspended.
        self._silent = self._waited = 0.0
        self._came = 0
        self._read_again = 0
        self.bytes = 0
        """That came over the link."""

    def next(self) -> tuple[bytes, bytes] | None:
        """Return the next message; ``None`` about once a second where none comes.

        Raises:
            BadMessageError: the host does not say what our program says.
            InterruptedRunError: the user wants to stop.
            LinkLostError: the link is gone.
            StepFailedError: the host tells an error.
            UnreachableError: it sends hardly anything.
        """
        if self._stop.asked:
            raise InterruptedRunError(
                "stopped on request: what is not whole yet is gone on with the next time",
                hint="run the same command again to go on",
            )
        if not self._waiting:
            self._receive()
        if not self._waiting:
            return None
        kind, payload = self._waiting.popleft()
        if kind == b"H":
            again = beat(payload)
            self._came += max(0, again - self._read_again)
            self._read_again = max(again, self._read_again)
            return None
        if kind == b"E":
            raise told(payload)
        if kind == b"F":
            self._read_again = 0
        return kind, payload

    def send(self, data: bytes) -> None:
        """Send, but wait no longer than the silence that we bear."""
        # A host that never takes what we send would hold us for ever.
        timer = threading.Timer(SILENCE, self._conversation.close)
        timer.daemon = True
        timer.start()
        try:
            self._conversation.send(data)
        finally:
            timer.cancel()

    def _receive(self) -> None:
        begin = time.monotonic()
        data = self._conversation.receive(WAIT)
        spent = min(time.monotonic() - begin, 2 * WAIT)
        self._waited += spent
        self._silent += spent
        if data:
            self._silent = 0.0
            self.bytes += len(data)
            self._came += len(data)
            self._waiting.extend(self._messages.feed(data))
        elif self._silent > SILENCE:
            raise LinkLostError(f"the program on the host has said nothing for {SILENCE:.0f} s")
        if self._waited > STALL:
            if self._came < LEAST:
                raise UnreachableError(f"the host sends hardly anything: {self._came} bytes in {STALL:.0f} s")
            self._waited, self._came = 0.0, 0


def told(payload: bytes) -> StepFailedError:
    """Return the error that a host tells."""
    found = decoded(payload)
    kind, text = found.get("kind"), found.get("message")
    return StepFailedError(
        str(text)[:500] if isinstance(text, str) and text else "the host sends nothing, and does not say why",
        hint=HINTS.get(kind) if isinstance(kind, str) else None,
    )
