"""What hosts say of their jobs, as values: strict where we build on it, tolerant of what we do not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.jobs.ids import ID
from provision.jobs.messages import JobMessageError
from provision.model.job import Job, JobEnvironment, JobRecord, JobState, JobWaiting

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES = ("queued", "running", "exited", "stopped", "lost")
FORMAT = 1
LONGEST_TIME = 1e11


def job_of(value: Mapping[str, Any]) -> Job:
    """Return the job of ``{"job", "state", "log_bytes"}``.

    Raises:
        JobMessageError: it is none.
    """
    record = value.get("job")
    if not isinstance(record, dict):
        raise JobMessageError("a job without a record")
    return Job(record_of(record), state_of(value.get("state")), count_of(value.get("log_bytes")) or 0)


def record_of(value: Mapping[str, Any]) -> JobRecord:
    """Return what was asked for.

    Raises:
        JobMessageError: it is no record of a job, or of a later format.
    """
    number = value.get("format")
    if number != FORMAT:
        raise JobMessageError(f"a job of format {str(number)[:20]}: update provision on this machine")
    name = _text(value, "id")
    if not ID.fullmatch(name):
        raise JobMessageError("a job whose id is none")
    command = value.get("command")
    if not isinstance(command, list) or not all(isinstance(one, str) for one in command):
        raise JobMessageError("a job without a command")
    return JobRecord(
        name,
        _optional(value, "name"),
        _text(value, "project"),
        tuple(command),
        _text(value, "cwd"),
        _text(value, "tree"),
        _optional(value, "snapshot"),
        _environment(value.get("environment")),
        count_of(value.get("gpus")),
        _text(value, "way"),
        time_of(value.get("submitted")) or 0.0,
        value,
    )


def state_of(value: object) -> JobState:
    """Return what has become of a job.

    Raises:
        JobMessageError: it is no state.
    """
    if not isinstance(value, dict) or value.get("state") not in STATES:
        raise JobMessageError("a job in no state that there is")
    code, gpus = count_of(value.get("exit_code")), value.get("gpus")
    return JobState(
        str(value["state"]),
        code if code is not None and code < 256 else None,  # noqa: PLR2004 - a byte
        _optional(value, "signal"),
        _optional(value, "reason"),
        _optional(value, "message"),
        time_of(value.get("started")),
        time_of(value.get("ended")),
        tuple(one for one in gpus if isinstance(one, str)) if isinstance(gpus, list) else (),
        _waiting(value.get("waiting")),
        count_of(value.get("log_lost")) or 0,
    )


def _environment(value: object) -> JobEnvironment | None:
    if not isinstance(value, dict):
        return None
    return JobEnvironment(
        _text(value, "name"), _text(value, "generation"), _text(value, "prefix"), _optional(value, "digest")
    )


def _waiting(value: object) -> JobWaiting | None:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return None
    return JobWaiting(count_of(value.get("ahead")) or 0, value["text"])


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise JobMessageError(f"a job without {name}")
    return found


def _optional(value: Mapping[str, Any], name: str) -> str | None:
    found = value.get(name)
    return found if isinstance(found, str) else None


def time_of(value: object) -> float | None:
    """Return a moment in seconds since the epoch; ``None`` where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # An int of JSON may be larger than any float; nothing that is not finite is in between.
    return float(value) if 0 <= value < LONGEST_TIME else None


def count_of(value: object) -> int | None:
    """Return a number of things or bytes that a host says; ``None`` where it is none that can be."""
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62
    return value if right and isinstance(value, int) else None
