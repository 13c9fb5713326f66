"""Asks a host about its jobs: once more where the link breaks, as to ask changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from provision.engine.job_talk import Talk
from provision.errors import LinkLostError, UnreachableError
from provision.events import LinkLost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provision.engine.stop import Stop
    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link

T = TypeVar("T")
TELL, STOP = "tell_jobs.py", "stop_job.py"
REMOVAL = 24 * 3600.0
"""Seconds that a snapshot of very many files may take to go: nothing is said meanwhile."""
MOST_LOSSES = 5
"""Lost links in a row."""


def ask(link: Link, host: Host, value: Mapping[str, Any], emit: Emit, stop: Stop) -> dict[str, Any]:
    """Return what `tell_jobs.py` answers.

    Raises:
        StepFailedError: the host says why it cannot.
        UnreachableError: the link is lost again and again.
        InterruptedRunError: the user ended it.
    """
    return _again(link, lambda: _answer(link, TELL, host, value, stop), emit, stop)


def stop_job(link: Link, host: Host, value: Mapping[str, Any], emit: Emit, stop: Stop) -> dict[str, Any]:
    """Stop a job, and return what has become of it; to ask twice does no harm.

    Raises:
        StepFailedError: the host says why it cannot.
        UnreachableError: the link is lost again and again; the host goes on with it.
        InterruptedRunError: the user ended it; the host goes on with it.
    """
    return _again(link, lambda: _answer(link, STOP, host, value, stop), emit, stop)


def _answer(link: Link, program: str, host: Host, value: Mapping[str, Any], stop: Stop) -> dict[str, Any]:
    with Talk(link, program, host.state_dir, value, host.env, stop) as talk:
        return talk.answer(REMOVAL) if value.get("what") == "remove" else talk.answer()


def _again(link: Link, once: Callable[[], T], emit: Emit, stop: Stop) -> T:
    losses = 0
    while True:
        try:
            return once()
        except LinkLostError as error:
            losses += 1
            emit(LinkLost(error.message))
            stop.between_steps()
            if losses >= MOST_LOSSES:
                raise UnreachableError(f"the link was lost {losses} times in a row: {error.message}") from error
            link.reconnect()
