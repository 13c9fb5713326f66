"""The task `gpu`: judged against what is expected of the host, never installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.model.plan import Finding, Severity, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import Facts
    from provision.model.host import Expect


@dataclass(frozen=True, slots=True)
class GpuTask:
    """The GPUs and the driver that a host must have."""

    expect: Expect

    def asks(self) -> Iterable[str]:
        """Nothing beyond what the probe always reads."""
        return ()

    def plan(self, facts: Facts) -> Iterable[Step]:  # noqa: ARG002 - a driver is never installed, whatever the facts
        """Nothing is ever done: a driver belongs to whoever made the machine."""
        return ()

    def objections(self, facts: Facts) -> Iterable[Finding]:
        """What makes a build pointless: the machine is not the one that was ordered."""
        from provision.gpu.findings import AFTER_BUILD

        return (one for one in self.judge(facts) if one.severity is Severity.ERROR and one.code not in AFTER_BUILD)

    def judge(self, facts: Facts) -> Iterable[Finding]:
        """Compare with what is expected, and say what is wrong with the cards."""
        # Imported late: a run loads the rules while its hosts are at work on their first answer.
        from provision.gpu.findings import judge

        return judge(facts, self.expect)

    def checks(self, facts: Facts) -> Iterable[Step]:  # noqa: ARG002 - the environment's task computes on the GPUs
        """The deep check belongs to the environment."""
        return ()
