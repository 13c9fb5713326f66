"""One host: connect, probe, plan, and where something is to be done: hold the host, do it, probe again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.engine.perform import TRIES, Performer
from provision.errors import BusyError, LinkLostError, StepFailedError, UnfitError, UnreachableError
from provision.events import Connected, Judged, LinkLost, Note, Planned, Probed, StepFinished, StepStarted, Waiting
from provision.model.plan import Finding, Later, Outcome, Plan, Severity, Step
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.stop import Stop
    from provision.events import Emit
    from provision.model.facts import Facts
    from provision.model.link import Lease, Link
    from provision.playbook.task import Task

ROUNDS = 12
"""Plans in one run: what depends on earlier steps is planned in the next round (three are the most in use), and a
host that we lost hold of for a while is looked at anew."""
WAIT_PAUSE = 2.0
LEFTOVER_SECONDS = 60.0
"""Processes that a step started and left behind hold its lock: so long we wait for them."""
REGAIN_SECONDS = catalogue.LEASE_SILENCE + 15


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


class Converger:
    """Brings one host to its goal."""

    def __init__(self, goal: Goal, connect: Callable[[], Link], emit: Emit, stop: Stop) -> None:
        self._goal = goal
        self._connect = connect
        self._emit = emit
        self._stop = stop
        self._link: Link | None = None
        self._lease: Lease | None = None
        self._regained = False
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
            plan = self._plan(facts)
            self._emit(Planned(plan))
            if self._goal.mode == "verify":
                return self._verify(facts, plan)
            if self._goal.mode == "plan":
                judgement = self._judgement(facts)
                self._emit(Judged(judgement))
                return self._foreseen(plan, judgement)
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
        for task in self._goal.tasks:
            words.extend(word for word in task.asks() if word not in words)
        started = time.monotonic()
        performer = self._performer()
        done = performer.command(catalogue.probe(words))
        # Not before: a run loads it while its hosts are at work on their first answer.
        from provision.facts import parse

        facts = parse(done.stdout)
        self._state_dir = facts.state_dir
        self._emit(Probed(facts, time.monotonic() - started))
        return facts

    def _plan(self, facts: Facts) -> Plan:
        steps = tuple(step for task in self._goal.tasks for step in task.plan(facts))
        objections: tuple[Finding, ...] = ()
        if steps:
            objections = tuple(one for task in self._goal.tasks for one in task.objections(facts))
        return Plan(steps, objections)

    def _judgement(self, facts: Facts) -> tuple[Finding, ...]:
        found: list[Finding] = []
        for task in self._goal.tasks:
            found.extend(one for one in task.judge(facts) if one not in found)
        order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
        return tuple(sorted(found, key=lambda one: order[one.severity]))

    @staticmethod
    def _foreseen(plan: Plan, judgement: tuple[Finding, ...]) -> Outcome:
        # Steps may cure what is judged now; where there is none, nothing will.
        hopeless = not plan.steps and any(one.severity is Severity.ERROR for one in judgement)
        if plan.blocked or hopeless:
            return Outcome.UNFIT
        return Outcome.PENDING if plan.steps else Outcome.CONVERGED

    def _refuse(self, plan: Plan) -> None:
        errors = [one for one in plan.findings if one.severity is Severity.ERROR]
        if errors:
            self._emit(Judged(plan.findings))
            self.left = tuple(step.name for step in plan.steps)
            raise UnfitError(f"nothing was changed: {errors[0].message}", hint=errors[0].fix)

    def _finish(self, facts: Facts, outcome: Outcome, more: tuple[Finding, ...] = ()) -> Outcome:
        findings = (*more, *(one for one in self._judgement(facts) if one not in more))
        self._emit(Judged(findings))
        return Outcome.UNFIT if any(one.severity is Severity.ERROR for one in findings) else outcome

    def _verify(self, facts: Facts, plan: Plan) -> Outcome:
        """Repeat every check; change nothing."""
        performer = self._performer()
        failed: list[Finding] = []
        checks = [step for task in self._goal.tasks for step in task.checks(facts)]
        for number, step in enumerate(checks, 1):
            self._stop.between_steps()
            try:
                self._do(performer, step, number, len(checks))
            except StepFailedError as error:
                if not performer.findings:
                    failed.append(Finding("CHECK-FAILED", Severity.ERROR, error.message, error.hint))
        pending = [step for step in plan.steps if step.changed]
        if pending:
            names = ", ".join(step.name for step in pending)
            failed.append(
                Finding(
                    "NOT-CONVERGED",
                    Severity.ERROR,
                    f"not what its playbook says: {names}",
                    "`provision up` with the same hosts and options does it",
                )
            )
        return self._finish(facts, Outcome.CONVERGED, (*performer.findings, *failed))

    # -- changing --------------------------------------------------------------------------------

    def _change(self) -> Outcome:
        self._take_lease()
        outcome = Outcome.CONVERGED
        done: set[str] = set()
        said: list[Finding] = []
        for round_number in range(ROUNDS):
            facts = self._settled()
            plan = self._plan(facts)
            if round_number:
                self._emit(Planned(plan, final=not plan.steps))
            if not plan.steps:
                kept = tuple(one for one in said if one.severity is not Severity.ERROR)
                return self._finish(facts, outcome, kept)
            self._refuse(plan)
            self._no_circle(plan, done)
            performer = self._performer()
            for number, step in enumerate(plan.steps, 1):
                if isinstance(step.action, Later):
                    break
                if not self._still_ours():
                    done.clear()
                    break
                self.left = tuple(one.name for one in plan.steps[number - 1 :])
                self._stop.between_steps()
                try:
                    self._do(performer, step, number, len(plan.steps))
                except StepFailedError:
                    if performer.findings:
                        self._emit(Judged(tuple(performer.findings)))
                    raise
                done.add(step.name)
                if step.changed:
                    outcome = Outcome.CHANGED
            said.extend(performer.findings)
            self.left = ()
        raise StepFailedError("the plan did not become empty", hint="run with -v and report what it prints")

    def _no_circle(self, plan: Plan, done: set[str]) -> None:
        again = [step.name for step in plan.steps if step.name in done]
        if again:
            raise StepFailedError(
                f"{again[0]}: it was done without an error, and its result is not there",
                hint="something else may be changing the host; run the same command again",
            )

    def _do(self, performer: Performer, step: Step, number: int, total: int) -> None:
        self._emit(StepStarted(step, number, total))
        started = time.monotonic()
        ok = False
        try:
            performer.perform(step)
            ok = True
        finally:
            self._emit(StepFinished(step, time.monotonic() - started, ok))

    def _still_ours(self) -> bool:
        """Hold the host again if we lost it; return whether no other run held it since it was looked at."""
        if self._lease is not None and not self._lease.held:
            self._regain()
        return not self._regained

    def _settled(self) -> Facts:
        """Return facts that no step of an earlier, broken run is still changing.

        Raises:
            BusyError: a step ended, and what it started holds on to its lock.
        """
        self._regained = False
        facts = self._probe()
        followed: str | None = None
        deadline = 0.0
        while facts.step_lock.held:
            step = facts.step_lock.step
            if step is not None and step != followed:
                self._emit(Waiting("a step of an earlier run is still at work: following it to its end"))
                self._performer().follow(step)
                followed, deadline = step, time.monotonic() + LEFTOVER_SECONDS
            elif not deadline:
                self._emit(Waiting("something holds the lock of steps there: waiting, at most a minute"))
                deadline = time.monotonic() + LEFTOVER_SECONDS
            elif time.monotonic() > deadline:
                raise BusyError(
                    f"step {followed} has ended, but processes that it started still run and hold the host"
                    if followed
                    else "something holds the lock of steps on the host, and no step is known there",
                    hint=f"`fuser -v {self._state_dir}/step.lock` there names them; end them and run again",
                )
            else:
                self._stop.wait(WAIT_PAUSE)
            self._stop.between_steps()
            self._regained = False
            facts = self._probe()
        return facts

    def _take_lease(self) -> None:
        told: str | None = None
        losses = 0
        ours_until = time.monotonic() + REGAIN_SECONDS
        while True:
            try:
                self._lease, holder = self._ask_lease()
            except LinkLostError as error:
                losses += 1
                if losses > TRIES:
                    raise
                self._emit(LinkLost(error.message))
                self._stop.between_steps()
                self._open_link().reconnect()
                continue
            if self._lease is not None:
                return
            # After a lost link it may be our own lease of a moment ago: it ends itself.
            ours = holder == self._goal.holder and time.monotonic() < ours_until
            if not self._goal.wait and not ours:
                raise BusyError(f"held by {holder or 'another run'}", hint="wait for it, or use --wait")
            if holder != told:
                self._emit(Waiting(f"held by {holder or 'another run'}: waiting"))
                told = holder
            self._stop.wait(WAIT_PAUSE)
            self._stop.between_steps()

    def _ask_lease(self) -> tuple[Lease | None, str]:
        link = self._open_link()
        lease, holder = link.hold(catalogue.lease(self._state_dir, self._goal.holder))
        if lease is None and holder.startswith("nobody"):
            raise StepFailedError(
                f"{self._state_dir}: {holder.removeprefix('nobody: ')}",
                hint="is the disk full, the folder not ours, or util-linux missing? "
                "`state_dir:` in hosts.yaml names another folder",
            )
        return lease, holder

    def _regain(self) -> None:
        """Hold the host again after a lost link: our own old lease may live on for a minute."""
        if self._lease is None:
            return
        deadline = time.monotonic() + REGAIN_SECONDS
        told = False
        while True:
            try:
                lease, holder = self._ask_lease()
            except LinkLostError:
                self._stop.during_step()
                if time.monotonic() > deadline:
                    raise
                self._open_link().reconnect()
                continue
            if lease is not None:
                self._lease = lease
                # Where another run held the host in between, our plan may be of yesterday.
                self._regained = self._regained or holder != "again"
                return
            if holder != self._goal.holder or time.monotonic() > deadline:
                raise BusyError(
                    f"while this run was cut off, the host was taken by {holder or 'another run'}",
                    hint="run it again; --wait waits for the other one",
                )
            if not told:
                self._emit(Waiting("the host still counts the lost connection as its holder: at most a minute"))
                told = True
            self._stop.pause(WAIT_PAUSE)
            self._stop.during_step()

    # -- the link --------------------------------------------------------------------------------

    def _performer(self) -> Performer:
        return Performer(
            self._open_link(),
            self._emit,
            self._stop,
            state_dir=self._state_dir,
            regain=self._regain,
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
        link, lease = self._link, self._lease
        self._lease = None
        try:
            if lease is not None:
                lease.release()
        except OSError:
            pass
        if link is not None:
            link.close()
