"""Follows what a job prints, over as many links as it takes: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.engine.job_talk import Talk, understood
from provision.errors import LinkLostError, UnreachableError
from provision.jobs.answers import state_of
from provision.jobs.messages import JobMessageError, object_of, piece_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.stop import Stop
    from provision.errors import ProvisionError
    from provision.model.job import JobState
    from provision.model.link import Link

PROGRAM = "follow_job.py"
LOOK = 1.0
LONGEST_ABSENCE = 12 * 3600.0
"""Seconds without a link after which it is given up: a laptop sleeps over night."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
"""Seconds between two tries; they double."""
MOST_LOSSES = 5
"""Links that may be lost in a row without bringing anything, where what is there is to be shown and no more."""


@dataclass
class Heard:
    """What a follower tells to: called from its own thread."""

    take: Callable[[int, bytes], None]
    """Stream (0 stdout, 1 stderr, 2 a note) and bytes."""
    told: Callable[[JobState], None]
    """The job's state, at first and whenever it changes."""
    lost: Callable[[str], None]
    """Why the link is made anew."""


class Follower:
    """Follows one job."""

    def __init__(  # noqa: PLR0917 - where, what, and what ends it
        self,
        link: Link,
        state_dir: str,
        job: str,
        env: tuple[tuple[str, str], ...],
        stop: Stop,
        heard: Heard,
    ) -> None:
        self._link = link
        self._state_dir = state_dir
        self._job = job
        self._env = env
        self._stop = stop
        self._heard = heard
        self._position: int | None = None
        self._tail: int | None = None
        self._since: float | None = None
        self._begun = time.time()
        self._state: JobState | None = None
        self._came = time.monotonic()

    def run(
        self, *, offset: int | None = None, tail: int | None = None, since: float | None = None, follow: bool = True
    ) -> JobState:
        """Tell all that the job prints until it has ended, and return its state.

        Args:
            offset: The byte of the log to begin with.
            tail: Begin with so many last lines.
            since: Begin with what was printed so many seconds ago.
            follow: Go on until the job has ended; else tell what is there.

        Raises:
            StepFailedError: there is no such job, or its log is gone.
            UnreachableError: the link was lost for good; the job goes on.
            InterruptedRunError: the user ended it; the job goes on.
        """
        self._position = 0 if offset is None and tail is None and since is None else offset
        self._tail, self._since, self._begun = tail, since, time.time()
        pause, losses = SHORTEST_PAUSE, 0
        while True:
            before, began = self._position, time.monotonic()
            try:
                return self._once({**self._where(), "follow": follow})
            except LinkLostError as error:
                self._stop.between_steps()
                self._heard.lost(error.message)
                losses += 1
                if self._position != before or time.monotonic() - began > LONGEST_PAUSE:
                    pause, losses = SHORTEST_PAUSE, 0
                if losses >= MOST_LOSSES and not follow:
                    raise self._gone(error) from error
            pause = self._connect(pause, LONGEST_ABSENCE if follow else 0.0)

    def _where(self) -> dict[str, object]:
        """Return where the log is to be told from: from a byte on, once one is known."""
        if self._position is not None:
            return {"offset": self._position, "tail": None, "since": None}
        since = self._since
        if since is not None:
            # What was printed while there was no link was printed since then, too.
            since += max(0.0, time.time() - self._begun)
        return {"offset": None, "tail": self._tail, "since": since}

    def _begins(self, size: object) -> None:
        """Take where the log ended as it was first looked at: all that comes later is wanted, whenever it comes."""
        if self._position is None and isinstance(size, int) and (size == 0 or self._tail == 0):
            self._position = size

    def _once(self, asked: dict[str, object]) -> JobState:
        with Talk(self._link, PROGRAM, self._state_dir, {"id": self._job, **asked}, self._env, self._stop) as talk:
            while True:
                message = talk.next(LOOK)
                if message is None:
                    continue
                self._came = time.monotonic()
                kind, payload = message
                with understood():
                    if kind == b"O":
                        self._piece(payload)
                    elif kind == b"S":
                        value = object_of(payload)
                        self._changed(state_of(value.get("state")))
                        self._begins(value.get("size"))
                    elif kind == b"X":
                        state = state_of(object_of(payload).get("state"))
                        self._changed(state)
                        return state
                    else:
                        raise JobMessageError(f"a message of type {kind!r}")

    def _piece(self, payload: bytes) -> None:
        piece = piece_of(payload)
        if self._position is not None and piece.offset < self._position:
            raise JobMessageError("a piece of the log that had come already")
        self._heard.take(piece.stream, piece.data)
        # Only now: what was not shown is asked for again.
        self._position = piece.end

    def _changed(self, state: JobState) -> None:
        if state != self._state:
            self._state = state
            self._heard.told(state)

    def _connect(self, pause: float, longest: float) -> float:
        """Make the link anew, for so many seconds, as a laptop may sleep; return the next pause."""
        while True:
            self._stop.wait(pause)
            self._stop.between_steps()
            pause = min(LONGEST_PAUSE, pause * 2)
            try:
                self._link.reconnect()
            except UnreachableError as error:
                self._stop.between_steps()
                if error.kind != UnreachableError.kind or time.monotonic() - self._came > longest:
                    raise self._gone(error) from error
            else:
                return pause

    def _gone(self, error: ProvisionError) -> UnreachableError:
        return UnreachableError(
            f"the link was lost and did not come back: {error.message}",
            hint=f"nothing changed for the job; when the network is better: provision logs -f {self._job}",
        )
