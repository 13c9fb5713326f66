"""Looks closer at a host than the probe does: what differs from the build, and what of the machine was exchanged."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.environment.drift import compare, damaged, held
from provision.environment.drift_baseline import parse_build
from provision.environment.drift_machine import conda_findings, machine_findings, system_findings
from provision.environment.drift_system import parse_told
from provision.environment.drift_text import drift_lines, when
from provision.environment.listing import parse_listing
from provision.errors import StepFailedError
from provision.events import StepFinished, StepStarted
from provision.model.plan import Finding, Later, Severity, Step
from provision.playbook.tasks.environment import EnvironmentTask
from provision.playbook.tasks.environment.generations import damage_record
from provision.playbook.tasks.environment.proof import machine, proven_on
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.engine.perform import Performer
    from provision.engine.stop import Stop
    from provision.environment.drift import Change, Damage
    from provision.environment.drift_baseline import Build
    from provision.environment.drift_system import Told
    from provision.environment.listing import Listing
    from provision.model.facts import Facts
    from provision.playbook.task import Task
    from provision.playbook.tasks.environment.generations import Place

CODES = frozenset({"ENV-DRIFT", "SYSTEM-DRIFT", "REBOOT-PENDING", "NOT-CONVERGED"})
"""Findings for which `verify --drift` ends with 7; UPGRADES-ARMED is none of them: nothing has changed yet."""
LONGEST = 300.0
_LOOKING = "60"
"""Seconds that looking for each single file may take."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a build in use is found to be."""

    listing: Listing
    build: Build
    changes: tuple[Change, ...] | None
    """``None``: the build kept no list to compare with."""
    damage: tuple[Damage, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """Every difference in words."""
        if self.changes is not None:
            return drift_lines(self.changes, self.build, self.damage)
        newer = [f"{name} is newer than the build{_on(at)}" for name, at in self.build.since]
        return (*newer, *drift_lines((), self.build, self.damage))

    @property
    def whole(self) -> bool:
        """Whether every file was looked for."""
        return all(one.missing is not None for one in self.listing.conda)


def look(performer: Performer, place: Place) -> Look:
    """Read what a build was, and what it is.

    Raises:
        StepFailedError: it cannot be read.
    """
    build = parse_build(performer.command(catalogue.tell_build(place.prefix)).stdout)
    listing = read_listing(performer, place)
    changes = compare(build.packages, held(listing)) if build.packages is not None else None
    return Look(listing, build, changes, damaged(listing))


def read_listing(performer: Performer, place: Place) -> Listing:
    """Read what is installed in the build that is in use.

    Raises:
        StepFailedError: it cannot be read.
    """
    arguments = (place.prefix, _LOOKING)
    done = performer.command(catalogue.python(place.python, "list_packages.py", arguments, timeout=LONGEST))
    try:
        return parse_listing(done.stdout)
    except ValueError as error:
        raise StepFailedError(
            f"{place.environment} {place.generation.name}: {error}",
            hint="`provision up` repairs a conda or an environment that is broken",
        ) from None


def named(tasks: tuple[Task, ...], facts: Facts, performer: Performer) -> tuple[Task, ...]:
    """Return the tasks, those of environments that have drifted with the names of what differs."""

    def one(task: Task) -> Task:
        if not isinstance(task, EnvironmentTask) or not task.has_drifted(facts):
            return task
        place = task.place(facts)
        try:
            return task if place is None else replace(task, drift=look(performer, place).lines)
        except StepFailedError:
            # The plan is right without the names; what cannot be read is told when it is built or verified.
            return task

    return tuple(one(task) for task in tasks)


def with_drift(
    checked: tuple[Finding, ...], tasks: tuple[Task, ...], facts: Facts, performer: Performer, stop: Stop
) -> tuple[Finding, ...]:
    """Return what the checks found, and all drift: of environments, of the machine they were proven on, of the system.

    Files that are missing are noted on the host, so that the next `up` builds anew.
    """
    drift = _find_drift(tasks, facts, performer, stop)
    if any(one.code == "CHECK-FAILED" for one in drift):
        return (*checked, *drift)
    noted = "`provision up` builds it anew: that it is damaged is noted on the host"
    fixes = {"ENV-FILES-MISSING": noted}
    if any(one.code == "ENV-DRIFT" for one in drift):
        # What was asked for is absent because somebody changed it: the finding that says so has what is to be done.
        fixes |= dict.fromkeys(("ENV-SPEC-UNMET", "ENV-PIP-UNMET", "ENV-LOCK-UNMET"), "`provision up` builds it anew")
    told = (replace(one, fix=fixes.get(one.code, one.fix)) for one in checked)
    return (*told, *drift)


def _find_drift(tasks: tuple[Task, ...], facts: Facts, performer: Performer, stop: Stop) -> tuple[Finding, ...]:
    found: list[Finding] = []
    environments = [one for one in tasks if isinstance(one, EnvironmentTask)]
    for task in environments:
        place = task.place(facts)
        if place is None:
            continue
        stop.between_steps()
        name = f"compare {task.name} {place.generation.name} with its build"
        found += _step(performer, name, lambda: _environment(performer, task, place, facts))  # noqa: B023 - called at once
    stop.between_steps()
    found += _step(performer, "compare the system with the last `up`", lambda: _system(performer, environments, facts))
    return tuple(dict.fromkeys(found))


def _step(performer: Performer, name: str, work: Callable[[], list[Finding]]) -> list[Finding]:
    step = Step(name, "`--drift` asks for it", Later(), changed=False)
    performer.emit(StepStarted(step, 1, 1))
    started = time.monotonic()
    ok = False
    try:
        found = work()
        ok = True
    except StepFailedError as error:
        found = [Finding("CHECK-FAILED", Severity.ERROR, error.message, error.hint)]
    finally:
        performer.emit(StepFinished(step, time.monotonic() - started, ok))
    return found


def _environment(performer: Performer, task: EnvironmentTask, place: Place, facts: Facts) -> list[Finding]:
    seen = look(performer, place)
    _note_damage(performer, task, place, facts, seen)
    what = f"{task.name} {place.generation.name}"
    lines = list(seen.lines)
    marker = place.generation.marker or {}
    if not lines and marker.get("packages") != place.generation.packages:
        lines = ["packages were installed or removed by hand, and its build kept no list of them"]
    fix = "`provision up` builds it anew beside this one; what is meant to stay belongs in environment.yml"
    return [Finding("ENV-DRIFT", Severity.WARNING, f"{what}: {one}", fix) for one in lines]


def _note_damage(performer: Performer, task: EnvironmentTask, place: Place, facts: Facts, seen: Look) -> None:
    """Let the next `up` know of missing files, which its probe does not see; or that they are there again."""
    name = damage_record(task)
    noted = facts.record(name)
    marker = place.generation.marker or {}
    this = {"generation": place.generation.name, "built": marker.get("built")}
    is_noted = noted is not None and all(noted.get(key) == value for key, value in this.items())
    if bool(seen.damage) == is_noted or not (seen.damage or seen.whole):
        return
    content = {"format": 1, **(this if seen.damage else {}), "packages": [one.name for one in seen.damage]}
    text = json.dumps(content, separators=(",", ":"))
    done = performer.command(catalogue.write_record(facts.state_dir, facts.system.machine_id or "none", name, text))
    if done.code != 0:
        raise StepFailedError(
            f"{task.name}: that files are missing could not be noted on the host", hint="is there room on its disk?"
        )


def _system(performer: Performer, tasks: list[EnvironmentTask], facts: Facts) -> list[Finding]:
    recorded = [(name, text) for name, text in facts.records if name.startswith("conda")]
    task = tasks[0] if tasks else None
    conda = facts.conda(task.conda(facts)) if task is not None else None
    name, record = next(
        ((one, text) for one, text in recorded if conda and text.get("prefix") == conda.prefix), ("", {})
    )
    file = f"{facts.state_dir}/record/{facts.system.machine_id or 'none'}/{name}.json"
    told = parse_told(performer.command(catalogue.tell_system(conda.prefix if conda else "", file)).stdout)
    return [
        *_machine(tasks, facts, told),
        *(conda_findings(conda.version, record.get("version"), conda.prefix, told) if conda else ()),
        *system_findings(told),
    ]


def _machine(tasks: list[EnvironmentTask], facts: Facts, told: Told) -> Iterator[Finding]:
    """Yield what was exchanged since the last passed check: the newest of all environments', by the host's clock."""
    known = [then for one in tasks if (then := proven_on(one, facts)) is not None]
    clocks = [clock if isinstance(clock := one.get("clock"), int) else 0 for one in known]
    if known:
        yield from machine_findings(known[clocks.index(max(clocks))], machine(facts), told)


def _on(at: int | None) -> str:
    moment = when(at)
    return f", {moment}" if moment else ""
