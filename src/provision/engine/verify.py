"""What `verify` does on a host: every check again, and nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import StepFailedError, UnfitError
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from provision.engine.perform import Performer
    from provision.engine.stop import Stop
    from provision.model.plan import Plan, Step


def check(
    steps: list[Step], plan: Plan, performer: Performer, stop: Stop, *, drift: bool = False
) -> tuple[Finding, ...]:
    """Repeat every check; return what was found, and that the host's plan is not empty.

    Where `drift` is asked for, pending changes are a part of it: told apart from what makes a host unfit.
    """
    failed: list[Finding] = []
    for number, step in enumerate(steps, 1):
        stop.between_steps()
        said = len(performer.findings)
        try:
            performer.carry_out(step, number, len(steps))
        except (StepFailedError, UnfitError) as error:
            # What the check itself found says it better.
            if len(performer.findings) == said:
                failed.append(Finding("CHECK-FAILED", Severity.ERROR, error.message, error.hint))
    pending = [step.name for step in plan.steps if step.changed]
    if pending:
        failed.append(
            Finding(
                "NOT-CONVERGED",
                Severity.WARNING if drift else Severity.ERROR,
                f"not what its playbook says: {', '.join(pending)}",
                "`provision up` with the same hosts and options does it",
            )
        )
    return (*performer.findings, *failed)
