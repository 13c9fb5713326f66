"""What of an environment file must change for another machine: its driver, its cards, its processor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.environment.cuda_fit import cuda_findings
from provision.environment.cuda_host import conda_specs
from provision.environment.cuda_wanted import cuda_wanted
from provision.environment.export_file import Entry
from provision.environment.migrate_conda import conda_change
from provision.environment.migrate_pip import pip_changes
from provision.environment.migrate_target import NO_CUDA, Change, Target
from provision.environment.spec import EnvironmentSpec
from provision.model.facts import Gpu, GpuFacts
from provision.model.plan import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.environment.export_file import Export

__all__ = ["NO_CUDA", "Change", "Fitted", "Target", "fitted"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """An environment file for another machine."""

    export: Export
    changes: tuple[Change, ...]
    doubts: tuple[str, ...]
    """What does not go with the machine, and nothing of what is known would."""


def fitted(export: Export, target: Target) -> Fitted:
    """Return the file with its CUDA fitted to a machine, and each line that differs with the reason."""
    changes: list[Change] = []
    dependencies = list(_conda(export, target, changes))
    pip, of_pip = pip_changes(export.pip, _spec(export), target)
    changes += of_pip
    # A build for some CUDA needs to know for which: the driver decides.
    builds = any(one.wants_version for one in changes)
    named = any(one.name == "cuda-version" for one in conda_specs([one.text for one in dependencies]))
    if builds and target.condition and not named:
        line = f"cuda-version{target.condition}"
        changes.append(Change(None, line, f"which CUDA the builds may have: {target.why_at_most}"))
        dependencies.append(Entry(line))
    result = replace(export, dependencies=tuple(dependencies), pip=tuple(pip))
    return Fitted(result, tuple(changes), tuple(_doubts(result, target)))


def _conda(export: Export, target: Target, changes: list[Change]) -> Iterable[Entry]:
    demands = {one.text: one for one in cuda_wanted(_spec(export), target.architecture) if not one.pip}
    for entry in export.dependencies:
        change = conda_change(entry.text, demands.get(entry.text), target)
        if change is None:
            yield entry
            continue
        changes.append(change)
        if change.after is not None:
            yield Entry(change.after, entry.asked)


def _doubts(export: Export, target: Target) -> Iterable[str]:
    if target.driver is None or not target.gpu:
        return
    cards = tuple(Gpu(None, f"card-{one}", "", compute_capability=one) for one in target.cards)
    found = cuda_findings(cuda_wanted(_spec(export), target.architecture), GpuFacts(driver=target.driver, gpus=cards))
    for finding in found:
        if finding.severity is Severity.ERROR:
            yield finding.message + (f" -> {finding.fix}" if finding.fix else "")


def _spec(export: Export) -> EnvironmentSpec:
    conda, pip = (tuple(one.text for one in lines) for lines in (export.dependencies, export.pip))
    return EnvironmentSpec(export.name, tuple(one.text for one in export.channels), conda, pip)
