"""What the plots are drawn from: the numbers, which the page shows as tables too."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import TYPE_CHECKING

from provision.report.display import one_line, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provision.page.fleet import Fleet, JobNow, StepTime

SERIES = 7
"""Hosts or steps that have a colour of their own; the rest is put together."""
OTHERS = "..."
DRIFT = "drift"
HOSTS_DRAWN = 40
"""Hosts that have plots of their own: those where something happened last. Each costs a tenth of a second."""
_DAYS = 84
_BARS = 20
_JOBS = 200
_LABEL = 28
_DAY = 86400.0

BARS, STACK, LINES, SPANS = "bars", "stack", "lines", "spans"


@dataclass(frozen=True, slots=True)
class Numbers:
    """A table to draw: the first column says where, each other one is a series."""

    key: str
    host: str | None
    """``None``: of the fleet."""
    kind: str
    """``bars`` stand, ``stack`` lie, ``lines`` go on, ``spans`` are GPU, job, and hours from the first one's start."""
    head: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]


def numbers(fleet: Fleet, hosts: int = HOSTS_DRAWN) -> list[Numbers]:
    """Return every table that has rows: of the fleet, and of so many hosts."""
    found = [_outcomes(fleet), _gpu_hours(fleet), _weeks(fleet), _builds(fleet)]
    steps: dict[str, list[StepTime]] = defaultdict(list)
    jobs: dict[str, list[JobNow]] = defaultdict(list)
    last: dict[str, float] = {}
    for step in fleet.steps:
        steps[step.host].append(step)
        last[step.host] = max(step.at, last.get(step.host, 0.0))
    for job in fleet.jobs:
        if job.started is not None and job.gpus:
            jobs[job.host].append(job)
            last[job.host] = max(job.started, last.get(job.host, 0.0))
    known = {one.name for one in fleet.hosts}
    for host in sorted(known & set(last), key=lambda one: (-last[one], one))[:hosts]:
        found += [_spans(host, jobs[host], fleet.at), _runs(host, steps[host])]
    return [one for one in found if one.rows]


def _outcomes(fleet: Fleet) -> Numbers:
    begin = _midnight(fleet.at) - (_DAYS - 1) * _DAY
    counts: dict[tuple[str, str], float] = defaultdict(float)
    for run in fleet.runs:
        for host in run.hosts:
            if run.started >= begin:
                counts[_day(run.started), host.outcome] += 1
    for event in fleet.events:
        if event.kind == DRIFT and event.at >= begin:
            counts[_day(event.at), DRIFT] += 1
    return _table("outcomes", _every_day(counts), counts)


def _gpu_hours(fleet: Fleet) -> Numbers:
    begin = _midnight(fleet.at) - (_DAYS - 1) * _DAY
    hours: dict[tuple[str, str], float] = defaultdict(float)
    for job in fleet.jobs:
        if job.started is None or not job.gpus:
            continue
        end = min(job.ended if job.ended is not None else fleet.at, fleet.at)
        at = max(job.started, begin)
        while at < end:
            until = min(end, _midnight(at) + _DAY)
            hours[_day(at), job.host] += (until - at) / 3600 * len(job.gpus)
            at = until
    return _table("gpu", _every_day(hours), hours)


def _weeks(fleet: Fleet) -> Numbers:
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    begin = fleet.at - _DAYS * _DAY
    for one in fleet.steps:
        if one.at >= begin:
            times[_monday(one.at), one.task].append(one.seconds)
    values = {place: median(several) for place, several in times.items()}
    totals = {place: sum(several) for place, several in times.items()}
    return _table("steps", sorted({week for week, _ in times}), values, kind=LINES, totals=totals, rest=False)


def _builds(fleet: Fleet) -> Numbers:
    newest: dict[str, tuple[float, str]] = {}
    for one in fleet.steps:
        if one.outcome == "done":
            newest[one.host] = max(newest.get(one.host, (0.0, "")), (one.at, one.run))
    values: dict[tuple[str, str], float] = defaultdict(float)
    for one in fleet.steps:
        if one.host in newest and newest[one.host][1] == one.run:
            values[one.host, one.task] += one.seconds
    totals: dict[str, float] = defaultdict(float)
    for (host, _), seconds in values.items():
        totals[host] += seconds
    longest = sorted(totals, key=lambda one: (-totals[one], one))[:_BARS]
    return _table("build", longest, values, kind=STACK, first="host")


def _runs(host: str, steps: Sequence[StepTime]) -> Numbers:
    begun: dict[str, float] = {}
    for one in steps:
        begun[one.run] = min(one.at, begun.get(one.run, one.at))
    last = sorted(begun, key=lambda run: begun[run])[-_BARS:]
    # Two runs within one minute are two bars.
    labels = {run: f"{_minute(begun[run])}{' ' * at if at else ''}" for at, run in enumerate(last)}
    values: dict[tuple[str, str], float] = defaultdict(float)
    for one in steps:
        if one.run in labels:
            values[labels[one.run], one.task] += one.seconds
    return _table("host_steps", list(labels.values()), values, host=host)


def _spans(host: str, jobs: Sequence[JobNow], now: float) -> Numbers:
    rows: list[tuple[str | float | None, ...]] = []
    for job in sorted(jobs, key=lambda one: one.started or 0.0)[-_JOBS:]:
        begin, end = job.started or 0.0, job.ended if job.ended is not None else now
        rows += [
            (
                f"GPU {gpu}" if gpu >= 0 else "GPU ?",
                _label(job.name or job.id),
                _minute(begin),
                round(max(0.0, end - begin) / 3600, 2),
            )
            for gpu in job.gpus
        ]
    return Numbers("host_jobs", _safe(host), SPANS, ("GPU", "job", "UTC", "h"), tuple(rows))


def _table(
    key: str,
    places: Sequence[str],
    values: Mapping[tuple[str, str], float],
    *,
    host: str | None = None,
    kind: str = BARS,
    first: str = "UTC",
    totals: Mapping[tuple[str, str], float] | None = None,
    rest: bool = True,
) -> Numbers:
    """Put values by place and series into a table; series beyond the largest few are one, or left out."""
    sums: dict[str, float] = defaultdict(float)
    for (_, series), value in (totals or values).items():
        sums[series] += value
    ordered = sorted(sums, key=lambda one: (-sums[one], one))
    own, others = ordered[:SERIES], ordered[SERIES:] if rest else []
    rows = tuple(
        (
            _label(place).rstrip() if key != "host_steps" else place,
            *(_rounded(values.get((place, one))) for one in own),
            *([_rounded(sum(values.get((place, one), 0.0) for one in others))] if others else []),
        )
        for place in places
    )
    return Numbers(key, _safe(host), kind, (first, *map(_label, own), *([OTHERS] if others else [])), rows)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _safe(text: str | None) -> str | None:
    return None if text is None else one_line(text)


def _label(text: str) -> str:
    return shortened(one_line(text), _LABEL)


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _midnight(seconds: float) -> float:
    return seconds - seconds % _DAY


def _day(seconds: float) -> str:
    return f"{_at(seconds):%Y-%m-%d}"


def _minute(seconds: float) -> str:
    return f"{_at(seconds):%Y-%m-%d %H:%M}"


def _monday(seconds: float) -> str:
    at = _at(seconds)
    return f"{at - timedelta(days=at.weekday()):%Y-%m-%d}"


def _every_day(values: Iterable[tuple[str, str]]) -> list[str]:
    """Return each day from the first one to the last: those on which nothing happened are seen too."""
    known = sorted({day for day, _ in values})
    if not known:
        return []
    first, last = datetime.fromisoformat(known[0]), datetime.fromisoformat(known[-1])
    return [f"{first + timedelta(days=at):%Y-%m-%d}" for at in range((last - first).days + 1)]


def by_series(table: Numbers) -> Iterable[tuple[str, list[float]]]:
    """Yield each series with its values; what is not known counts as nothing."""
    for at, name in enumerate(table.head[1:], 1):
        yield name, [float(row[at] or 0.0) if not isinstance(row[at], str) else 0.0 for row in table.rows]
