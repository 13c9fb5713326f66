"""What the tasks say of a host's facts, put together: its plan, what is thought of it, how a run would end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.model.plan import Finding, Outcome, Plan, Severity

if TYPE_CHECKING:
    from provision.model.facts import Facts
    from provision.model.plan import Step
    from provision.playbook.task import Task

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def plan_of(tasks: tuple[Task, ...], facts: Facts) -> Plan:
    """Return the steps of all tasks, and where there are some, why they must not begin."""
    tasks, steps = _planned(tasks, facts)
    objections: tuple[Finding, ...] = ()
    if steps:
        objections = tuple(one for task in tasks for one in task.objections(facts))
    return Plan(steps, objections)


def _planned(tasks: tuple[Task, ...], facts: Facts) -> tuple[tuple[Task, ...], tuple[Step, ...]]:
    if asks_for_best(tasks):
        # Imported late: who names a mirror, or none, needs no choice.
        from provision.playbook.mirror_choice import planned

        tasks, steps = planned(tasks, facts)
        if steps is not None:
            return tasks, steps
    return tasks, tuple(step for task in tasks for step in task.plan(facts))


def asks_for_best(tasks: tuple[Task, ...]) -> bool:
    """Whether the host is to find out itself which mirrors serve it."""
    hosts = (getattr(task, "host", None) for task in tasks)
    return any(one is not None and one.mirror is not None and one.mirror.candidates for one in hosts)


def judgement_of(tasks: tuple[Task, ...], facts: Facts) -> tuple[Finding, ...]:
    """Return what the tasks say of the facts as they are, each finding once, errors first."""
    found: list[Finding] = []
    if asks_for_best(tasks):
        from provision.playbook import mirror_choice

        found.extend(mirror_choice.findings(tasks, facts))
    for task in tasks:
        found.extend(one for one in task.judge(facts) if one not in found)
    return tuple(sorted(found, key=lambda one: _ORDER[one.severity]))


def foreseen(plan: Plan, judgement: tuple[Finding, ...]) -> Outcome:
    """Return how a run would end that changes nothing."""
    # Steps may cure what is judged now; where there is none, nothing will.
    hopeless = not plan.steps and has_error(judgement)
    if plan.blocked or hopeless:
        return Outcome.UNFIT
    return Outcome.PENDING if plan.steps else Outcome.CONVERGED


def has_error(findings: tuple[Finding, ...]) -> bool:
    """Whether a host with these findings is unfit."""
    return any(one.severity is Severity.ERROR for one in findings)
