"""The questions that every task answers, for one conda environment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.model.plan import Finding, Run, Severity, Step
from provision.playbook.tasks.environment.build import build
from provision.playbook.tasks.environment.compute import compute, computed, computes, seen_computing
from provision.playbook.tasks.environment.generations import asked_then, complete, in_use, linked
from provision.playbook.tasks.environment.objections import cuda, foreign, no_room, no_variant, shadowing, terms
from provision.playbook.tasks.environment.proof import deep_check, proven, read_back
from provision.playbook.tasks.environment.request import Request
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import EnvironmentFacts, Facts
    from provision.playbook.tasks.environment.request import Wanted


@dataclass(frozen=True, slots=True)
class EnvironmentTask(Request):
    """One conda environment of a project."""

    def asks(self) -> Iterable[str]:
        """Whether base has an environment of that name of its own: it would shadow ours."""
        return (f"conda={self.prefix}", f"path={shadowing(self)}")

    def plan(self, facts: Facts) -> Iterable[Step]:
        """Build where the wanted generation is absent; prove and switch where it is not in use; check what was not."""
        wanted = self.wanted(facts)
        if wanted is None:
            return
        have = self._have(facts)
        built = complete(have, wanted.digest)
        if built is None:
            yield from build(self, facts, wanted, have)
            return
        used = have is not None and have.current == built.name
        if not used:
            yield read_back(self, facts, wanted, built.name, reject=True)
        if not used or not proven(self, facts, built):
            yield deep_check(self, facts, wanted, built, reject=not used)
        if not used or not linked(facts, wanted):
            previous = f", after {have.current}" if have is not None and have.current else ""
            reason = "the link to it is missing" if used else f"it is what {wanted.spec.source} asks for{previous}"
            yield self._switch(wanted, built.name, reason)
        # Last: what it finds speaks of the machine, and the environment is in use whatever that is.
        if computes(wanted, facts) and not computed(self, facts, built):
            yield compute(self, facts, wanted, built)

    def objections(self, facts: Facts) -> Iterable[Finding]:
        """What would make the build fail or do harm, before anything is downloaded."""
        wanted = self.wanted(facts)
        if wanted is None:
            yield no_variant(self, facts)
            return
        yield from foreign(self, facts, wanted)
        have = self._have(facts)
        if complete(have, wanted.digest) is not None:
            return
        yield from terms(self, wanted)
        yield from cuda(self, facts, wanted)
        yield from no_room(self, facts, wanted, have)

    def judge(self, facts: Facts) -> Iterable[Finding]:
        """Say what the environment file itself has to say."""
        wanted = self.wanted(facts)
        if wanted is None:
            # Nothing can be planned for such a host: that must not look as if nothing were to be done.
            yield no_variant(self, facts)
            return
        yield from foreign(self, facts, wanted)
        yield from self._cuda_doubts(facts, wanted)
        for note in wanted.spec.notes:
            yield Finding("ENV-NOTE", Severity.INFO, note)

    def checks(self, facts: Facts) -> Iterable[Step]:
        """Read back, import and compute, whatever the record says; a failed check withdraws its record."""
        wanted = self.wanted(facts)
        current = in_use(self._have(facts))
        if wanted is None or current is None or current.marker is None:
            return
        # Where the file has changed since, the build is judged by what it was asked for: the change is in the plan.
        if current.marker.get("digest") != wanted.digest:
            spec = asked_then(current.marker, wanted.spec)
            wanted = replace(wanted, variant=replace(wanted.variant, spec=spec))
        yield read_back(self, facts, wanted, current.name, reject=False)
        yield deep_check(self, facts, wanted, current, reject=False, record=False)
        if computes(wanted, facts):
            yield compute(self, facts, wanted, current, record=False)

    def _cuda_doubts(self, facts: Facts, wanted: Wanted) -> Iterable[Finding]:
        """What the file asks for, against driver and cards; a doubt ends when it was seen to compute."""
        if not wanted.gpu:
            return
        # Imported late: a host without a GPU needs none of it.
        from provision.environment.cuda_fit import cuda_findings
        from provision.environment.cuda_wanted import cuda_wanted

        have = in_use(self._have(facts))
        proven_right = have is not None and seen_computing(self, facts, have)
        if not proven_right:
            yield from cuda_findings(cuda_wanted(wanted.spec, facts.system.architecture), facts.gpu)

    def _have(self, facts: Facts) -> EnvironmentFacts | None:
        return facts.environment(self.project, self.name)

    def _switch(self, wanted: Wanted, generation: str, reason: str) -> Step:
        return Step(
            f"make {generation} the current {self.name}",
            reason,
            Run(catalogue.switch_environment(wanted.base, generation, wanted.link)),
            details=(f"{wanted.link} -> {wanted.base}/current",),
        )
