"""The fleet as the ledger knows it."""

from __future__ import annotations

import shlex
import time
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.ledger import reading
from provision.ledger.place import ledger_path
from provision.ledger.store import open_ledger
from provision.page.fleet import Event, FindingNow, Fleet, HostNow, JobNow, Outcome, RunSeen, StepTime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provision.ledger.rows import FindingSeen, HostRun, HostState, Run
    from provision.ledger.store import Ledger

WINDOW = 90 * 86400.0
"""Seconds that the report looks back; hosts are shown however long ago they were seen."""
JUDGING = frozenset({"up", "verify", "plan"})
"""Commands after which a finding that was not met again is no longer open."""
_NAMED = ("target", "provider", "gpus", "driver", "cuda", "environment", "generation")
_NOTHING = "–"
_OTHERS = ("machine", "system", "kernel", "glibc", "miniconda", "packages_digest")


def fleet_of(environ: Mapping[str, str], project: str | None, *, brief: bool = False) -> Fleet:
    """Return what the ledger holds. Never raises for what is wrong with it: that is the fleet's `problem`.

    Args:
        environ: Where the state folder is found.
        project: Whose runs and hosts; ``None``: of every project.
        brief: Only hosts, runs and jobs. All steps of a large fleet take seconds to read.
    """
    now = time.time()
    ledger = open_ledger(environ, writing=False)
    try:
        fleet = _read(ledger, now, project, brief=brief)
        # A reading that failed half-way is told too.
        return replace(fleet, problem=ledger.problem)
    finally:
        ledger.close()


def fingerprint(environ: Mapping[str, str]) -> str:
    """Return what changes whenever something is written to the ledger."""
    parts = []
    try:
        path = ledger_path(environ)
        for suffix in ("", "-wal", "-journal"):
            try:
                seen = path.with_name(path.name + suffix).stat()
            except FileNotFoundError:
                parts.append("-")
            else:
                parts.append(f"{seen.st_ino:x}.{seen.st_mtime_ns:x}.{seen.st_size:x}")
    except (OSError, RuntimeError, ValueError):
        parts.append("?")
    return "_".join(parts)


def _read(ledger: Ledger, now: float, project: str | None, *, brief: bool) -> Fleet:
    since = now - WINDOW
    runs = [one for one in reading.runs(ledger, since=since) if project is None or one.project == project]
    mine = {one.id for one in runs}
    by_run = reading.hosts_of_all(ledger, runs)
    states = reading.states(ledger)
    if project is not None:
        # A host that was not seen within the window belongs to whom it was last seen by.
        late = {one.run for one in states} - mine
        known = {one.id for one in reading.runs(ledger) if one.project == project and one.id in late} if late else set()
        hosts = {one.host for several in by_run.values() for one in several}
        states = [one for one in states if one.host in hosts or one.run in mine | known]
    names = {one.host for one in states}
    fleet = Fleet(
        at=now,
        project=project,
        hosts=tuple(_host(one) for one in states),
        runs=tuple(_run(one, by_run.get(one.id, [])) for one in runs),
        jobs=tuple(
            JobNow(one.host, one.id, one.name, one.state, one.exit_code, one.started, one.ended, one.gpus)
            for one in reversed(reading.jobs(ledger, since=since))
            if project is None or one.host in names
        ),
    )
    if brief:
        return fleet
    return replace(
        fleet,
        steps=tuple(
            StepTime(one.run, one.host, one.started, one.task, one.title, one.seconds, one.outcome)
            for one in reading.steps(ledger, since=since)
            if one.run in mine and one.seconds is not None
        ),
        findings=_findings([one for one in reading.findings(ledger, since=since) if one.run in mine], runs, by_run),
        events=_events(ledger, since, mine),
    )


def _host(state: HostState) -> HostNow:
    facts = state.facts
    texts = {name: _text(facts.get(name)) for name in (*_NAMED, *_OTHERS, "verdict")}
    verified, drift = facts.get("verified_at"), facts.get("drift")
    return HostNow(
        name=state.host,
        at=state.at,
        target=texts["target"],
        cloud=texts["provider"],
        gpus=texts["gpus"],
        driver=texts["driver"],
        cuda=texts["cuda"],
        environment=texts["environment"],
        generation=texts["generation"],
        verified=float(verified) if isinstance(verified, (int, float)) else None,
        drift=len(drift) if isinstance(drift, (list, tuple)) else None,
        verdict=texts["verdict"],
        others=tuple((name, text) for name in _OTHERS if (text := texts[name])),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _run(run: Run, hosts: Sequence[HostRun]) -> RunSeen:
    # Of a run that was killed early only the command is known.
    words = ("provision", *run.command.split(), *run.argv)
    return RunSeen(
        id=run.id,
        command=run.command,
        typed=shlex.join(words),
        started=run.started,
        ended=run.ended,
        exit_code=run.exit_code,
        schedule=run.schedule,
        hosts=tuple(
            Outcome(
                one.host,
                one.outcome,
                None if one.ended is None else max(0.0, one.ended - one.started),
                one.error,
                one.verdict,
                one.changed,
            )
            for one in hosts
        ),
    )


def _findings(
    seen: Sequence[FindingSeen], runs: Iterable[Run], by_run: Mapping[str, Sequence[HostRun]]
) -> tuple[FindingNow, ...]:
    """Put the same finding of several runs together; open are those of the last run that judged their host."""
    met = {(one.host, one.run) for one in seen}
    judged: dict[str, str] = {}
    for run in sorted(runs, key=lambda one: one.started):
        for host in by_run.get(run.id, ()):
            if (host.host, run.id) in met or (run.command in JUDGING and host.verdict is not None):
                judged[host.host] = run.id
    count: Counter[tuple[str, str, str, str | None]] = Counter()
    groups: dict[tuple[str, str, str | None, int], list[FindingSeen]] = defaultdict(list)
    for one in seen:
        # Several of one code in one run, with nothing to tell them apart by, are several.
        count[one.run, one.host, one.code, one.subject] += 1
        number = count[one.run, one.host, one.code, one.subject]
        groups[one.host, one.code, one.subject, number].append(one)
    found = []
    for several in groups.values():
        first, last = several[0], several[-1]
        is_open = judged.get(last.host) == last.run
        found.append(
            FindingNow(
                last.host, last.code, last.severity, last.title, last.fix, last.subject, first.at, last.at, is_open
            )
        )
    return tuple(sorted(found, key=lambda one: (not one.open, -one.last)))


def _events(ledger: Ledger, since: float, mine: set[str]) -> tuple[Event, ...]:
    found = [
        Event(
            one.at,
            one.host,
            "drift" if one.name == "drift" else "fact",
            f"{one.name}: {one.before or _NOTHING} → {one.after or _NOTHING}",
        )
        for one in reading.changes(ledger, since=since)
        if one.run in mine
    ]
    found += [
        Event(one.at, one.host, "generation", f"{one.environment} {one.generation}: {one.event}")
        for one in reading.generations(ledger, since=since)
        if one.run in mine
    ]
    found += [
        Event(
            one.at, None, "lock", f"{one.file}: {one.platform}{f', CUDA {one.cuda}' if one.cuda else ''}, {one.changes}"
        )
        for one in reading.locks(ledger, since=since)
        if one.run in mine
    ]
    return tuple(sorted(found, key=lambda one: -one.at))
