"""One host: connect, probe, plan, and where something is to be done: hold the host, do it, probe again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.engine.hold import Hold
from provision.engine.perform import Performer
from provision.engine.planning import foreseen, has_error, judgement_of, plan_of
from provision.engine.settle import settled
from provision.errors import StepFailedError, UnfitError, UnreachableError
from provision.events import Connected, Judged, Note, Planned, Probed
from provision.model.plan import Finding, Later, Outcome, Plan, Severity
from provision.playbook.tasks.environment import EnvironmentTask
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.stop import Stop
    from provision.events import Emit
    from provision.model.facts import Facts
    from provision.model.link import Link
    from provision.playbook.task import Task

ROUNDS = 12
"""Plans in one run: what depends on earlier steps is planned in the next round (three are the most in use), and a
host that we lost hold of for a while is looked at anew."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a run wants of a host."""

    mode: str
    """``up``, ``plan`` or ``verify``."""
    tasks: tuple[Task, ...]
    state_dir: str
    """As the user wrote it; the probe tells the absolute path."""
    workdir: str
    holder: str
    """Who holds the host, for others to read; unique to this run."""
    wait: bool = False
    """Wait for another run to end instead of giving up."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables that the user set for the host."""
    drift: bool = False
    """`verify` also compares environments with their builds, and the system with that of the last `up`."""


class Converger:
    """Brings one host to its goal."""

    def __init__(self, goal: Goal, connect: Callable[[], Link], emit: Emit, stop: Stop) -> None:
        self._goal = goal
        self._tasks = goal.tasks
        self._connect = connect
        self._emit = emit
        self._stop = stop
        self._link: Link | None = None
        self._hold = Hold(self._open_link, emit, stop, holder=goal.holder, wait=goal.wait)
        self._state_dir = goal.state_dir
        self.left: tuple[str, ...] = ()

    def run(self) -> Outcome:
        """Do what the goal says and return how it ended.

        Raises:
            ProvisionError: it did not get there; the message says why.
        """
        started = time.monotonic()
        try:
            self._link = self._connect()
            self._emit(Connected(time.monotonic() - started))
            self._notes()
            facts = self._probe()
            if self._goal.mode != "verify" and any(_has_drifted(one, facts) for one in self._tasks):
                # Not before: a host that is as it was built needs no closer look.
                from provision.engine.drift import named

                self._tasks = named(self._tasks, facts, self._performer())
            plan = plan_of(self._tasks, facts)
            self._emit(Planned(plan))
            if self._goal.mode == "verify":
                return self._verified(facts, plan)
            if self._goal.mode == "plan":
                judgement = judgement_of(self._tasks, facts)
                self._emit(Judged(judgement))
                return foreseen(plan, judgement)
            if not plan.steps and not facts.step_lock.held:
                return self._finish(facts, Outcome.CONVERGED)
            # What a step of an earlier run is changing right now proves nothing yet.
            if not facts.step_lock.held:
                self._refuse(plan)
            return self._change()
        finally:
            self._close()

    def close(self) -> None:
        """Cut the link, from another thread: the worker then ends on its own."""
        if self._link is not None:
            self._link.close()

    # -- reading ---------------------------------------------------------------------------------

    def _probe(self) -> Facts:
        words = [f"state_dir={self._goal.state_dir}", f"workdir={self._goal.workdir}"]
        for task in self._tasks:
            words.extend(word for word in task.asks() if word not in words)
        started = time.monotonic()
        performer = self._performer()
        done = performer.command(catalogue.probe(words))
        # Not before: a run loads it while its hosts are at work on their first answer.
        from provision.facts import parse

        facts = parse(done.stdout)
        self._state_dir = facts.state_dir
        self._emit(Probed(facts, time.monotonic() - started))
        if facts.state_danger:
            # What is read there may be another user's word.
            raise UnfitError(
                facts.state_danger, hint="name a `state_dir:` that nobody else can write, or mend its owner and mode"
            )
        return facts

    def _verified(self, facts: Facts, plan: Plan) -> Outcome:
        # Not before: no other mode needs it.
        from provision.engine.verify import check

        steps = [step for task in self._tasks for step in task.checks(facts)]
        found = check(steps, plan, self._performer(), self._stop, drift=self._goal.drift)
        if not self._goal.drift:
            return self._finish(facts, Outcome.CONVERGED, found)
        from provision.engine.drift import CODES, with_drift

        found = with_drift(found, self._tasks, facts, self._performer(), self._stop)
        pending = any(one.code in CODES for one in found)
        return self._finish(facts, Outcome.PENDING if pending else Outcome.CONVERGED, found)

    def _refuse(self, plan: Plan) -> None:
        errors = [one for one in plan.findings if one.severity is Severity.ERROR]
        if errors:
            self._emit(Judged(plan.findings))
            self.left = tuple(step.name for step in plan.steps)
            raise UnfitError(f"nothing was changed: {errors[0].message}", hint=errors[0].fix)

    def _finish(self, facts: Facts, outcome: Outcome, more: tuple[Finding, ...] = ()) -> Outcome:
        found = (*more, *(one for one in judgement_of(self._tasks, facts) if one not in more))
        # What stands in the way comes before the mere fact that something is left to do.
        findings = tuple(sorted(found, key=lambda one: one.code == "NOT-CONVERGED"))
        self._emit(Judged(findings))
        return Outcome.UNFIT if has_error(findings) else outcome

    # -- changing --------------------------------------------------------------------------------

    def _change(self) -> Outcome:
        self._hold.take(self._state_dir)
        outcome = Outcome.CONVERGED
        done: set[str] = set()
        said: list[Finding] = []
        for round_number in range(ROUNDS):
            facts = settled(self._look, lambda step: self._performer().follow(step), self._emit, self._stop)
            plan = plan_of(self._tasks, facts)
            if round_number:
                self._emit(Planned(plan, final=not plan.steps))
            if not plan.steps:
                kept = tuple(one for one in said if one.severity is not Severity.ERROR)
                return self._finish(facts, outcome, kept)
            self._refuse(plan)
            _no_circle(plan, done)
            performer = self._performer()
            for number, step in enumerate(plan.steps, 1):
                if isinstance(step.action, Later):
                    break
                if not self._hold.still_ours():
                    done.clear()
                    break
                self.left = tuple(one.name for one in plan.steps[number - 1 :])
                self._stop.between_steps()
                try:
                    performer.carry_out(step, number, len(plan.steps))
                except (StepFailedError, UnfitError):
                    if performer.findings:
                        self._emit(Judged(tuple(performer.findings)))
                    raise
                done.add(step.name)
                if step.changed:
                    outcome = Outcome.CHANGED
            said.extend(performer.findings)
            self.left = ()
        raise StepFailedError("the plan did not become empty", hint="run with -v and report what it prints")

    def _look(self) -> Facts:
        self._hold.looks_anew()
        return self._probe()

    # -- the link --------------------------------------------------------------------------------

    def _performer(self) -> Performer:
        return Performer(
            self._open_link(),
            self._emit,
            self._stop,
            state_dir=self._state_dir,
            regain=self._hold.regain,
            env=self._goal.env,
        )

    def _open_link(self) -> Link:
        if self._link is None:
            raise UnreachableError("not connected")
        return self._link

    def _notes(self) -> None:
        for text in self._open_link().notes:
            self._emit(Note(text))

    def _close(self) -> None:
        self._hold.release()
        self.close()


def _has_drifted(task: Task, facts: Facts) -> bool:
    return isinstance(task, EnvironmentTask) and task.has_drifted(facts)


def _no_circle(plan: Plan, done: set[str]) -> None:
    again = [step.name for step in plan.steps if step.name in done]
    if again:
        raise StepFailedError(
            f"{again[0]}: it was done without an error, and its result is not there",
            hint="something else may be changing the host; run the same command again",
        )
