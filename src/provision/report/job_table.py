"""The jobs of many hosts, as a table and as a document."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from provision.decode.surrogates import encodable
from provision.jobs.outcome import how_it_ended
from provision.report.amounts import counted
from provision.report.display import one_line, shortened
from provision.report.duration import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.events import HostFinished
    from provision.jobs.listing import Listed
    from provision.model.job import Job
    from provision.report.style import Style

HEAD = ("JOB", "NAME", "HOST", "STATE", "TIME", "COMMAND")
COMMAND = 60
"""Characters of a command where there is no terminal whose width would say."""
LEAST = 20
STATE, NAME = 48, 40
"""Characters of a state and of a name that are shown."""
READ = 1000
"""Characters of a text that are looked at: a command may have megabytes, and a line of a table has few."""


def table(answers: Mapping[str, Listed], style: Style, width: int) -> Iterator[str]:
    """Yield the lines, the newest job last; `width` is that of the terminal, 0 where there is none."""
    found = sorted(
        (
            (job.record.submitted - listed.now, host, job, listed.now)
            for host, listed in answers.items()
            for job in listed.jobs
        ),
        key=lambda one: one[0],
    )
    rows = [_row(host, job, now) for _, host, job, now in found]
    if rows:
        widths = [max(len(row[at]) for row in (HEAD, *rows)) for at in range(len(HEAD) - 1)]
        left = max(LEAST, width - sum(widths) - 2 * len(widths) - 1) if width else COMMAND
        yield style.dim(_line(HEAD, widths, left))
        for row, (_, _, job, _) in zip(rows, found, strict=True):
            line = _line(row, widths, left)
            yield line.replace(row[3], _coloured(job, row[3], style), 1) if style.enabled else line
    for host, listed in answers.items():
        for folder, why in listed.damaged:
            yield style.yellow(f"{one_line(host)}: job {one_line(folder)} cannot be read: {one_line(why)}")
    old = sum(one.old for one in answers.values())
    if old:
        yield style.dim(f"{counted(old, 'job')} ended more than a week ago: --all")
    elif not rows and answers:
        yield "no jobs"


def _row(host: str, job: Job, now: float) -> tuple[str, ...]:
    record = job.record
    return (
        record.id,
        _cell(record.name or "-", NAME),
        one_line(host),
        _cell(state_text(job), STATE),
        _time(job, now),
        one_line(shlex.join(record.command)[:READ])[:READ],
    )


def _cell(text: str, most: int) -> str:
    return shortened(one_line(text[:READ])[:READ], most)


def state_text(job: Job) -> str:
    """Return ``running on 2 GPUs``, ``queued: 2 GPUs; 1 job before it``, ``exited 3``, ``lost``."""
    state = job.state
    if state.state == "queued":
        return f"queued: {state.waiting.text}" if state.waiting is not None else "queued"
    if state.state == "running":
        return f"running on {counted(len(state.gpus), 'GPU')}" if state.gpus else "running"
    if state.state == "exited":
        return f"exited {state.exit_code if state.exit_code is not None else f'by SIG{state.signal}'}"
    return state.state


def _time(job: Job, now: float) -> str:
    """Return for how long it runs or ran, and how long ago that was."""
    state = job.state
    if state.state == "queued":
        return f"for {duration(max(0.0, now - job.record.submitted))}"
    if state.started is None or (state.over and state.ended is None):
        return "-"
    end = state.ended if state.ended is not None else now
    took = duration(max(0.0, end - state.started))
    return took if state.ended is None else f"{took}, {duration(max(0.0, now - end))} ago"


def _line(row: tuple[str, ...], widths: list[int], left: int) -> str:
    cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
    return "  ".join((*cells, shortened(row[-1], left))).rstrip()


def _coloured(job: Job, text: str, style: Style) -> str:
    if job.state.state == "running":
        return style.cyan(text)
    if job.state.state == "queued":
        return style.yellow(text)
    return style.green(text) if job.state.exit_code == 0 else style.red(text)


def job_fields(host: str, job: Job) -> dict[str, Any]:
    """Return what the JSON document says of a job."""
    record, state = job.record, job.state
    return {
        "id": record.id,
        "name": None if record.name is None else encodable(record.name),
        "host": encodable(host),
        "state": state.state,
        "exit_code": state.exit_code,
        "signal": state.signal,
        "reason": state.reason,
        "message": None if state.message is None else encodable(state.message),
        "outcome": encodable(how_it_ended(state)),
        "command": [encodable(one) for one in record.command],
        "submitted": record.submitted,
        "started": state.started,
        "ended": state.ended,
        "gpus": [encodable(one) for one in state.gpus],
        "waiting": None
        if state.waiting is None
        else {"ahead": state.waiting.ahead, "text": encodable(state.waiting.text)},
        "log_bytes": job.log_bytes,
        "log_lost": state.log_lost,
        "record": _plain(record.raw),
    }


def document(answers: Mapping[str, Listed], failed: Mapping[str, HostFinished], code: int) -> dict[str, Any]:
    """Return the JSON document of `jobs`."""
    return {
        "schema_version": 1,
        "command": "jobs",
        "exit_code": code,
        "jobs": [job_fields(host, job) for host, listed in answers.items() for job in listed.jobs],
        "damaged": [
            {"id": encodable(job), "host": encodable(host), "message": encodable(why)}
            for host, listed in answers.items()
            for job, why in listed.damaged
        ],
        "hosts": {
            encodable(host): {
                "error": _error(failed.get(host)),
                "older": answers[host].old if host in answers else None,
            }
            for host in (*answers, *(one for one in failed if one not in answers))
        },
    }


def _error(finished: HostFinished | None) -> dict[str, Any] | None:
    failure = finished.failure if finished is not None else None
    if failure is None:
        return None
    hint = None if failure.hint is None else encodable(failure.hint)
    return {"kind": failure.kind, "message": encodable(failure.message), "hint": hint}


def _plain(value: Any) -> Any:
    """Return a value of a host whose texts can all be written."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(str(key)): _plain(one) for key, one in value.items() if key != "nonce"}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
