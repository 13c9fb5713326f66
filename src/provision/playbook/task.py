"""What every task is: pure questions on facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import Facts
    from provision.model.plan import Finding, Step


class Task(Protocol):
    """One entry of a playbook, bound to a host and a project.

    A task never reads another task's result: what is absent in the facts is to be done, and what depends on steps
    that are still to come is a step with the action `Later`, planned again after them.
    """

    def asks(self) -> Iterable[str]:
        """Words for the probe: ``key=value`` of what the task wants to know."""

    def plan(self, facts: Facts) -> Iterable[Step]:
        """Return the steps from these facts to what the task says; none: it is so already."""

    def objections(self, facts: Facts) -> Iterable[Finding]:
        """Return why the steps must not begin; only called when there are some."""

    def judge(self, facts: Facts) -> Iterable[Finding]:
        """Return what is to be said of the facts as they are."""

    def checks(self, facts: Facts) -> Iterable[Step]:
        """Return the checks that `verify` repeats on a converged host."""
