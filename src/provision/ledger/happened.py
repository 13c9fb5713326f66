"""What happened on one host, run by run: facts and generations that changed, findings that came and went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.ledger import reading
from provision.ledger.rows import CURRENT, FindingSeen, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provision.ledger.rows import FactChanged, GenerationSeen, HostRun
    from provision.ledger.store import Ledger

RUN, FACT, GENERATION, CAME, WENT = "run", "fact", "generation", "came", "went"
"""Kinds of what happens."""
_JUDGING = frozenset({"up", "plan", "verify"})
_DRIFT = frozenset({"ENV-DRIFT", "ENV-FILES-MISSING", "SYSTEM-DRIFT", "REBOOT-PENDING", "UPGRADES-ARMED"})
"""Findings that only `verify --drift` looks for."""
_GOOD = frozenset({"converged", "changed", "pending"})
_JUDGED = frozenset({"converged", "changed", "unfit"})
_INFO = "info"


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing, and the run that saw it."""

    at: float
    run: str
    command: str
    kind: str
    name: str
    """The fact, the environment or the finding's code; of a run its outcome."""
    text: str
    """In words; it may come from the host: show it escaped."""
    severity: str | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """A finding that holds, as far as is known."""

    first: FindingSeen
    last: FindingSeen
    command: str
    """Of the run that saw it last."""


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of a host, the oldest first."""

    happened: tuple[Happened, ...]
    open: tuple[Open, ...]


def story(ledger: Ledger, host: str) -> Story:
    """Return what happened on a host, and what holds there now."""
    runs = {one.id: one for one in reading.runs(ledger, host=host)}
    seen: dict[str, list[FindingSeen]] = {}
    for finding in reading.findings(ledger, host=host):
        seen.setdefault(finding.run, []).append(finding)
    holding: dict[tuple[str, str], Open] = {}
    found: list[Happened] = []
    for one in reading.host_runs(ledger, host=host):
        run = runs.get(one.run)
        if run is None:
            continue
        if one.changed or one.outcome not in _GOOD:
            found.append(_ran(one, run))
        if run.command in _JUDGING:
            found += _came_and_went(one, run, seen.get(run.id, []), holding)
    commands = {name: run.command for name, run in runs.items()}
    found += [_fact(one, commands) for one in reading.changes(ledger, host=host)]
    found += _generations(reading.generations(ledger, host=host), commands)
    order = {RUN: 0, GENERATION: 1, FACT: 2, WENT: 3, CAME: 4}
    found.sort(key=lambda one: (one.at, order[one.kind]))
    return Story(tuple(found), tuple(holding.values()))


def _came_and_went(
    one: HostRun, run: Run, seen: Iterable[FindingSeen], holding: dict[tuple[str, str], Open]
) -> Iterator[Happened]:
    now = {(each.code, each.title): each for each in seen if each.severity != _INFO}
    at = one.ended if one.ended is not None else one.started
    for key, finding in now.items():
        before = holding.get(key)
        holding[key] = Open(before.first if before else finding, finding, run.command)
        if before is None:
            text = f"{finding.title}" + (f" -> {finding.fix}" if finding.fix else "")
            yield Happened(at, run.id, run.command, CAME, finding.code, text, finding.severity)
    for key, held in list(holding.items()):
        if key not in now and _would_see(held, one, run):
            del holding[key]
            yield Happened(at, run.id, run.command, WENT, held.last.code, held.last.title, held.last.severity)


def _would_see(held: Open, one: HostRun, run: Run) -> bool:
    """Whether a run that did not see a finding would have, were it still so."""
    if run.command == "verify":
        return one.outcome in {*_JUDGED, "pending"} and (held.last.code not in _DRIFT or "--drift" in run.argv)
    if run.command == "up":
        # What is built anew is checked anew; else it checks no more than a plan does.
        return one.outcome == "changed" or (one.outcome in _JUDGED and held.command in {"up", "plan"})
    return one.outcome in _GOOD and held.command == "plan"


def _ran(one: HostRun, run: Run) -> Happened:
    at = one.ended if one.ended is not None else one.started
    return Happened(at, run.id, run.command, RUN, one.outcome, one.error or one.verdict or one.outcome)


def _fact(one: FactChanged, commands: Mapping[str, str]) -> Happened:
    text = f"{one.before or 'none'} -> {one.after or 'none'}"
    return Happened(one.at, one.run, commands.get(one.run, ""), FACT, one.name, text)


def _generations(seen: Iterable[GenerationSeen], commands: Mapping[str, str]) -> Iterator[Happened]:
    for one in seen:
        text = f"{one.generation} {'is in use' if one.event == CURRENT else one.event}"
        yield Happened(one.at, one.run, commands.get(one.run, ""), GENERATION, one.environment, text)
