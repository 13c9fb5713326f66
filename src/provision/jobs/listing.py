"""What a host says of all its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.jobs.answers import job_of, time_of
from provision.jobs.messages import JobMessageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.model.job import Job


@dataclass(frozen=True, slots=True)
class Listed:
    """The jobs of one host, the newest last."""

    jobs: tuple[Job, ...]
    damaged: tuple[tuple[str, str], ...]
    """Ids of folders that tell of no job, and why."""
    old: int
    """Jobs that ended before those that were asked for."""
    now: float
    """The host's time, in seconds since the epoch."""


def listed_of(answer: Mapping[str, Any]) -> Listed:
    """Return the jobs of an answer; one that cannot be understood is told as damaged.

    Raises:
        JobMessageError: it is no list of jobs.
    """
    found, now, old = answer.get("jobs"), time_of(answer.get("now")), answer.get("old")
    if not isinstance(found, list) or now is None:
        raise JobMessageError("a list of jobs that is none")
    jobs: list[Job] = []
    damaged: list[tuple[str, str]] = []
    for one in found:
        if not isinstance(one, dict):
            raise JobMessageError("a list of jobs with something else in it")
        if "damaged" in one:
            damaged.append((str(one.get("id")), str(one["damaged"])))
            continue
        try:
            jobs.append(job_of(one))
        except JobMessageError as error:
            record = one.get("job")
            damaged.append((str(record.get("id")) if isinstance(record, dict) else "?", str(error)))
    return Listed(tuple(jobs), tuple(damaged), old if isinstance(old, int) else 0, now)
