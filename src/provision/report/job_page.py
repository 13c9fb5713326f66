"""One job in words: what it is, where it ran, how it ended."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

from provision.jobs.answers import count_of
from provision.jobs.outcome import how_it_ended
from provision.report.amounts import counted
from provision.report.display import one_line
from provision.report.duration import duration
from provision.sync.sizes import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.model.job import Job
    from provision.report.style import Style


def page(host: str, job: Job, sizes: object, now: float | None, style: Style) -> Iterator[str]:
    """Yield the lines; `now` is the host's time."""
    record, state = job.record, job.state
    name = f" {one_line(record.name)}" if record.name else ""
    ended = how_it_ended(state)
    colour = style.green if state.exit_code == 0 else style.red if state.over else style.cyan
    yield f"{style.bold(f'job {record.id}')}{name} on {one_line(host)} {colour(one_line(ended))}"
    for title, text in _facts(job, now, sizes if isinstance(sizes, dict) else {}):
        yield f"  {title:<12}{one_line(text)}"


def _facts(job: Job, now: float | None, sizes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    record, state, raw = job.record, job.state, job.record.raw
    yield "command", shlex.join(record.command)
    if state.started is not None:
        end = state.ended if state.ended is not None else (now if not state.over else None)
        took = f", {duration(max(0.0, end - state.started))}" if end is not None else ""
        yield "began", f"{_moment(state.started)}{took}"
    if state.state == "queued":
        yield "waits for", state.waiting.text if state.waiting is not None else "its turn"
    if state.gpus or record.gpus:
        yield "GPUs", ", ".join(state.gpus) or counted(record.gpus or 0, "GPU")
    if record.environment is not None:
        yield "environment", f"{record.environment.name} {record.environment.generation}"
    yield "code", _code(raw)
    yield "folder", record.snapshot or f"{record.tree} (in place)"
    made, size = count_of(sizes.get("made_files")), count_of(sizes.get("made_bytes"))
    if made is not None and size is not None and record.snapshot is not None:
        pull = f" (provision pull {record.id})" if made else ""
        yield "made", f"{counted(made, 'file')}, {sized(size)}{pull}"
    yield (
        "log",
        sized(job.log_bytes)
        + (f"; {sized(state.log_lost)} of output were lost: the disk was full" if state.log_lost else ""),
    )
    yield (
        "kept alive",
        {"user-unit": "by systemd, for the user", "system-unit": "by systemd"}.get(
            record.way, "in a session of its own"
        ),
    )


def _code(raw: Any) -> str:
    origin = raw.get("origin")
    origin = origin if isinstance(origin, dict) else {}
    commit, tree = origin.get("commit"), raw.get("tree_id")
    parts = [f"commit {str(commit)[:12]}"] if isinstance(commit, str) else []
    if parts and origin.get("dirty"):
        parts.append("with changes that are not committed")
    if isinstance(tree, str):
        parts.append(f"tree {tree[:12]}")
    return ", ".join(parts) or "not known"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
