"""One conversation with the receiver on a host: messages in, heartbeats out, and no host can make it last for ever."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from provision.errors import BusyError, LinkLostError, ProvisionError, StepFailedError
from provision.sync.answers import Phase, phase_of, printable, refusal_of
from provision.sync.wire import Messages, WireError, block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.model.link import Conversation
    from provision.sync.answers import Refusal

LOOK = 0.2
"""Seconds between two looks at what the user wants."""
HEARTBEAT = 10.0
"""Seconds of silence after which the host is told that we are there; it gives up after sixty."""
SILENCE = 600.0
"""Seconds that a host may work without a word of progress: a large file on a slow disk is hashed in that time."""
WORDS_ALONE = 1800.0
"""Seconds that a host's words of progress alone count, while nothing is sent and nothing else comes."""
PHASES = ("receiving", "checking", "placing")
"""In their order."""
SLOWEST = 10_000
"""Bytes a second, below which a long message counts as none."""


class ChangedError(Exception):
    """What was sent is not the tree that was announced: files changed meanwhile."""


class DamagedError(ChangedError):
    """What an earlier, broken sync left on the host is damaged: the host threw it away, and it must be sent anew."""


class Exchange:
    """Reads what the host says; `beat` and the sender's thread never speak at the same time."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self._messages = Messages()
        self._received = 0
        self._life = self._moved = time.monotonic()
        self._spoke = time.monotonic()
        self._furthest = Phase("", 0, 0)

    def next(self, seconds: float) -> tuple[bytes, bytes] | None:
        """Return the next message that is no word of progress; ``None`` where none came in so many seconds.

        Raises:
            StepFailedError: the host speaks another language, or stopped for a reason that it told.
            BusyError: another sync holds the tree.
            ChangedError: the host has something else than was announced, or threw away what was damaged there.
            LinkLostError: the link broke.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                message = self._messages.next()
                if message is not None:
                    self._received = 0
                    if self._told(*message):
                        return message
                    continue
            except WireError as error:
                raise misunderstood(str(error)) from error
            left = deadline - time.monotonic()
            if left <= 0:
                self._judge_silence()
                return None
            piece = self.conversation.receive(left)
            self._received += len(piece)
            self._messages.feed(piece)

    def moved(self) -> None:
        """Note that the conversation goes on, though the host has nothing to say."""
        self._life = self._moved = time.monotonic()

    def beat(self) -> None:
        """Tell the host that we are there, where it has not heard of us for a while."""
        if time.monotonic() - self._spoke >= HEARTBEAT:
            self._spoke = time.monotonic()
            self.conversation.send(block(b"H"))

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Go on beating while this thread is busy: a person thinks about a question."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(LOOK):
                try:
                    self.beat()
                except (LinkLostError, OSError):
                    return

        thread = threading.Thread(target=beat, name="provision-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.moved()

    def _told(self, kind: bytes, payload: bytes) -> bool:
        if kind == b"E":
            raise _failure(refusal_of(payload))
        if kind != b"P":
            self.moved()
            return True
        phase, last = phase_of(payload), self._furthest
        if phase.phase not in PHASES:
            return False
        # The same words again and again are no sign of life, nor are those that go to and fro.
        later = PHASES.index(phase.phase) - (PHASES.index(last.phase) if last.phase else -1)
        if later > 0 or (later == 0 and (phase.files > last.files or phase.bytes > last.bytes)):
            self._furthest = phase
            self._life = time.monotonic()
        return False

    def _judge_silence(self) -> None:
        now, long_message = time.monotonic(), self._received / SLOWEST
        silent = now - self._life > SILENCE + long_message
        if silent or now - self._moved > WORDS_ALONE + long_message:
            raise StepFailedError(
                f"the host got no further for {(SILENCE if silent else WORDS_ALONE) / 60:.0f} minutes",
                hint="look at its disk and its processes there, and run the same command again: it goes on",
            )


def misunderstood(what: str) -> StepFailedError:
    """Return the error for what a host should never say."""
    return StepFailedError(
        f"the host's answer is not what it should be: {printable(what, 200)}",
        hint="does something there print into other programs' output, or stand between? Run with -v for more",
    )


_HINTS = {
    "owner": "--take-over makes the tree yours; what stands in the way is kept",
    "space": "the old tree is as it was: make room there and run it again",
    "io": "mend on the host what it names, and run the same command again",
    "conflict": "the old tree is as it was",
    "refused": "the old tree is as it was",
}
"""What to do where the host did not say."""


def _failure(refusal: Refusal) -> ProvisionError | ChangedError:
    message, hint = refusal.message, refusal.hint
    if refusal.kind == "damaged":
        return DamagedError(message)
    if refusal.kind == "changed":
        return ChangedError(message)
    if refusal.kind == "busy":
        return BusyError(message, hint="run it again later, or use --wait")
    usual = _HINTS.get(refusal.kind, "run with -v and report what it prints")
    return StepFailedError(message or "the host's receiver failed", hint=hint or usual)
