"""The questions that every task answers, for one conda environment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from provision.model.plan import Finding, Run, Severity, Step
from provision.playbook.tasks.environment.build import build
from provision.playbook.tasks.environment.compute import compute, computed, computes, seen_computing
from provision.playbook.tasks.environment.generations import (
    DAMAGED,
    Place,
    asked_then,
    complete,
    damage_record,
    drifted,
    in_use,
    linked,
    rollback_record,
    rolled_back,
    with_damage,
)
from provision.playbook.tasks.environment.objections import (
    cuda,
    foreign,
    no_room,
    no_variant,
    shadowing,
    terms,
    unlocked,
)
from provision.playbook.tasks.environment.proof import deep_check, proven, read_back
from provision.playbook.tasks.environment.request import Request
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import EnvironmentFacts, Facts, Generation
    from provision.playbook.tasks.environment.request import Wanted


@dataclass(frozen=True, slots=True)
class EnvironmentTask(Request):
    """One conda environment of a project."""

    keep_drift: bool = False
    """The user wants what was installed or removed by hand to stay."""
    drift: tuple[str, ...] = ()
    """What a closer look found to be different from the build, in words; empty where nobody has looked."""

    def asks(self) -> Iterable[str]:
        """Whether base has an environment of that name of its own: it would shadow ours."""
        return (f"conda={self.prefix}", f"path={shadowing(self)}")

    def plan(self, facts: Facts) -> Iterable[Step]:
        """Build where the wanted generation is absent; prove and switch where it is not in use; check what was not."""
        wanted = self.wanted(facts)
        if wanted is None:
            return
        have = self._have(facts)
        stands = self._stands(facts, wanted)
        if stands is not None and stands.marker is not None:
            wanted = _as_built(wanted, stands.marker)
        built = stands or self._built(have, wanted)
        if built is None:
            yield from self._explained(build(self, facts, wanted, have), have, wanted)
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
        if self._stands(facts, wanted) is not None or self._built(have, wanted) is not None:
            return
        yield from unlocked(self, wanted)
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
        if self.keep_drift and (kept := drifted(self._have(facts), wanted.digest)) is not None:
            what = "; ".join(self.drift) or kept.rejected or "packages were installed or removed by hand"
            yield Finding(
                "ENV-DRIFT-KEPT",
                Severity.WARNING,
                f"{self.name} {kept.name} is used as it is, though it is no longer what was built: {what}",
                "write what is meant to stay in environment.yml; `provision up` without --keep-drift builds it anew",
            )
        stands = self._stands(facts, wanted)
        if stands is not None:
            noted = facts.record(rollback_record(self)) or {}
            yield Finding(
                "ENV-ROLLED-BACK",
                Severity.WARNING,
                f"{self.name} stays at {stands.name}: somebody went back to it from {noted.get('from')}, "
                f"and {wanted.spec.source} has not changed since",
                f"a changed environment.yml ends it, or `provision env rollback {self.host.name} --undo`",
            )
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
            wanted = _as_built(wanted, current.marker)
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

    def place(self, facts: Facts) -> Place | None:
        """Return the build that is in use on the host; ``None``: there is none, or it is not complete."""
        current = in_use(facts.environment(self.project, self.name))
        if current is None or current.marker is None:
            return None
        prefix = f"{facts.state_dir}/envs/{self.project}/{self.name}/{current.name}"
        return Place(self.project, self.name, current, prefix, f"{self._lister(facts) or prefix}/bin/python")

    def has_drifted(self, facts: Facts) -> bool:
        """Whether the probe, or the last closer look, shows that what is in use is no longer what was built."""
        wanted = self.wanted(facts)
        return wanted is not None and drifted(self._have(facts), wanted.digest) is not None

    def _lister(self, facts: Facts) -> str | None:
        own = facts.conda(self.conda(facts))
        return next((one.prefix for one in (own, *facts.condas) if one is not None and one.runs), None)

    def _built(self, have: EnvironmentFacts | None, wanted: Wanted) -> Generation | None:
        built = complete(have, wanted.digest)
        return drifted(have, wanted.digest) if built is None and self.keep_drift else built

    def _explained(self, steps: Iterable[Step], have: EnvironmentFacts | None, wanted: Wanted) -> Iterable[Step]:
        """Say of the build, which comes first, what was found to be different by hand."""
        found = drifted(have, wanted.digest)
        for number, step in enumerate(steps):
            if number or found is None:
                yield step
            else:
                reason = f"{DAMAGED}, as `verify --drift` found" if found.rejected else step.reason
                yield replace(step, reason=reason, details=(*step.details, *self.drift))

    def _stands(self, facts: Facts, wanted: Wanted) -> Generation | None:
        return rolled_back(self._have(facts), facts.record(rollback_record(self)), wanted.digest)

    def _have(self, facts: Facts) -> EnvironmentFacts | None:
        return with_damage(facts.environment(self.project, self.name), facts.record(damage_record(self)))

    def _switch(self, wanted: Wanted, generation: str, reason: str) -> Step:
        return Step(
            f"make {generation} the current {self.name}",
            reason,
            Run(catalogue.switch_environment(wanted.base, generation, wanted.link)),
            details=(f"{wanted.link} -> {wanted.base}/current",),
        )


def _as_built(wanted: Wanted, marker: dict[str, Any]) -> Wanted:
    """Return what a build was asked for, in the place of what the file asks for now."""
    return replace(wanted, variant=replace(wanted.variant, spec=asked_then(marker, wanted.spec)), lock=None)
