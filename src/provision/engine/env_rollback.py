"""Makes an earlier generation current, with a record by which `up` leaves it so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.engine.drift import read_listing
from provision.engine.env_generations import note, switch
from provision.environment.drift import compare, held
from provision.environment.drift_text import went
from provision.errors import BusyError, StepFailedError
from provision.playbook.tasks.environment.generations import Place, in_use, rollback_record

if TYPE_CHECKING:
    from provision.engine.perform import Performer
    from provision.model.facts import EnvironmentFacts, Facts, Generation
    from provision.playbook.tasks.environment import EnvironmentTask


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants."""

    to: str | None = None
    """A generation; ``None``: the newest usable one before the current."""
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Rolled:
    """What was done."""

    environment: str
    was: str
    now: str
    changes: tuple[str, ...]
    """Packages that differ, in words."""
    stands: bool
    """Whether `up` leaves it so."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What was done, and what the next `up` does."""
        then = (
            f"`provision up` leaves it at {self.now} until environment.yml or its lock changes; --undo ends that"
            if self.stands
            else f"{self.now} is what the project asks for, or `provision up` goes on to that"
        )
        differs = self.changes or ("the packages of both are the same",)
        return (f"{self.environment}: {self.was} -> {self.now}", *(f"  {one}" for one in differs), then)


def roll(performer: Performer, task: EnvironmentTask, facts: Facts, asked: Asked) -> Rolled:
    """Switch to another generation.

    Raises:
        BusyError: a step of a run is at work there.
        StepFailedError: there is none to go to, it is damaged, or the host does not do it.
    """
    have = facts.environment(task.project, task.name)
    current = in_use(have)
    place, wanted = task.place(facts), task.wanted(facts)
    if facts.step_lock.held:
        raise BusyError("a step of a run is at work there", hint="wait for it: `provision up` follows it")
    if have is None or current is None or place is None or wanted is None:
        raise StepFailedError(f"its environment '{task.name}' has no complete build in use", hint="`provision up`")
    target = _target(task, facts, have, current, asked)
    prefix = f"{wanted.base}/{target.name}"
    before = held(read_listing(performer, place))
    after = held(read_listing(performer, Place(task.project, task.name, target, prefix, place.python)))
    changes = tuple(went(one) for one in compare(before, after))
    stands = not asked.undo and (target.marker or {}).get("digest") != wanted.digest
    content = {"from": current.name, "to": target.name, "digest_refused": wanted.digest} if stands else {}
    # The record first: it says nothing as long as `to` is not the current one.
    if stands or facts.record(rollback_record(task)) is not None:
        note(performer, facts, rollback_record(task), content)
    switch(performer, wanted.base, target.name, wanted.link)
    return Rolled(task.name, current.name, target.name, changes, stands)


def _target(
    task: EnvironmentTask, facts: Facts, have: EnvironmentFacts, current: Generation, asked: Asked
) -> Generation:
    name = asked.to
    if asked.undo:
        noted = facts.record(rollback_record(task)) or {}
        if noted.get("to") != current.name or not isinstance(noted.get("from"), str):
            raise StepFailedError(f"no rollback of '{task.name}' stands there", hint="provision env list")
        name = noted["from"]
    if name is None:
        before = [one for one in have.generations if one.counter < current.counter and _usable(one)]
        if not before:
            raise StepFailedError(
                f"'{task.name}' has no complete generation before {current.name}", hint="provision env list"
            )
        found = max(before, key=lambda one: one.counter)
    else:
        listed = have.find(name)
        if listed is None or not _usable(listed):
            state = "is not there" if listed is None else "is unfinished or was rejected"
            raise StepFailedError(f"{name} of '{task.name}' {state}", hint="provision env list")
        found = listed
    if found is current:
        raise StepFailedError(f"{found.name} is the current one already", hint="provision env list")
    if found.marker is None or found.marker.get("packages") != found.packages:
        raise StepFailedError(
            f"{found.name} is no longer what was built: packages were installed or removed there by hand",
            hint="--to names another one; `provision up` builds what environment.yml asks for",
        )
    return found


def _usable(one: Generation) -> bool:
    return one.marker is not None and one.rejected is None
