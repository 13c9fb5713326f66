"""One conversation with a program about jobs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from provision.errors import BusyError, StepFailedError
from provision.jobs.messages import JobMessageError, JobMessages, object_of
from provision.jobs.requests import request
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from provision.engine.stop import Stop
    from provision.model.link import Link

LOOK = 0.25
"""Seconds between two looks at whether the user wants to stop."""
SILENCE = 300.0
"""Seconds without a word of the program after which it is given up: a file system there may hang."""


class Talk:
    """Asks one thing, and gives what is said to it."""

    def __init__(  # noqa: PLR0917 - where, what, and what ends it
        self,
        link: Link,
        name: str,
        state_dir: str,
        value: Mapping[str, Any],
        env: tuple[tuple[str, str], ...],
        stop: Stop,
    ) -> None:
        program = catalogue.job_program(name, state_dir, request({"format": 1, "state_dir": state_dir, **value}), env)
        self._conversation = link.converse(program)
        self._messages = JobMessages()
        self._stop = stop

    def __enter__(self) -> Talk:  # noqa: PYI034 - Python 3.10 has no Self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._conversation.close()

    def next(self, seconds: float) -> tuple[bytes, bytes] | None:
        """Return the next message, or ``None`` where none came in so many seconds.

        Raises:
            StepFailedError: the host says why it cannot, or what is none of our protocol.
            BusyError: another sync holds the project there.
            LinkLostError: the link broke.
            InterruptedRunError: the user ended it.
        """
        with understood():
            while True:
                message = self._messages.next()
                if message is not None:
                    break
                self._stop.between_steps()
                step = min(seconds, LOOK)
                if seconds <= 0:
                    return None
                data = self._conversation.receive(step)
                seconds -= 0 if data else step
                self._messages.feed(data)
            if message[0] == b"E":
                raise told(object_of(message[1]))
        return message

    def answer(self, silence: float = SILENCE) -> dict[str, Any]:
        """Return the one object that is answered; words on the way are passed over.

        Raises:
            StepFailedError: see `next`; or nothing was said for so many seconds.
            LinkLostError: the link broke.
            InterruptedRunError: the user ended it.
        """
        while True:
            message = self.next(silence)
            if message is None:
                raise StepFailedError(
                    f"the program that tells of jobs has said nothing for {silence:.0f} s",
                    hint="does a file system hang there? `ls ~/.provision/jobs` on the host shows it",
                )
            if message[0] == b"J":
                with understood():
                    return object_of(message[1])


@contextmanager
def understood() -> Iterator[None]:
    """Raise what the host says and nobody understands as a failed step."""
    try:
        yield
    except JobMessageError as error:
        raise StepFailedError(
            f"the host speaks of its jobs in a way that is not understood: {error}",
            hint="is it the host that you mean, and does another version of provision launch jobs there?",
        ) from error


class JobRefusedError(StepFailedError):
    """The host says why it does not do it."""

    def __init__(self, reason: str, message: str, hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        """A word for programs, such as ``unknown`` or ``running``."""


def told(value: Mapping[str, Any]) -> StepFailedError | BusyError:
    """Return the error that a host tells."""
    reason, message, hint = (value.get(name) for name in ("kind", "message", "hint"))
    text = message if isinstance(message, str) and message else "the host cannot, and does not say why"
    more = hint if isinstance(hint, str) and hint else None
    if reason == "busy":
        return BusyError(text, hint=more)
    return JobRefusedError(str(reason), text, more)
