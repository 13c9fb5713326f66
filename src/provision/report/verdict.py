"""What a good host is, in one line of its facts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provision.report.display import one_line

if TYPE_CHECKING:
    from provision.model.facts import Facts, GpuFacts

_MIB_PER_GIB = 1024
_MOST = 4


def fact_line(facts: Facts) -> str:
    """Return ``1x NVIDIA A10 (22.0 GiB), driver 550.54, environment mymodel 1-3f2a91bc``, as far as it is there."""
    return ", ".join((*_gpus(facts.gpu), *_environments(facts)))


def activated_names(facts: Facts) -> tuple[str, ...]:
    """Return the names that `conda activate` takes on the host for environments of ours."""
    ours = f"{facts.state_dir}/envs/"
    return tuple(one.name for one in facts.conda_links if one.target and one.target.startswith(ours))


def _gpus(gpu: GpuFacts) -> list[str]:
    if not gpu.gpus:
        other = "an AMD GPU" if gpu.amd else "an Ascend NPU" if gpu.ascend else None
        return [f"{other}, which provision cannot judge yet" if other else "no GPU"]
    kinds = Counter((one.name, one.memory_mib) for one in gpu.gpus)
    cards = [
        f"{number}x {one_line(name)}" + (f" ({memory / _MIB_PER_GIB:.1f} GiB)" if memory else "")
        for (name, memory), number in kinds.items()
    ]
    driver = [f"driver {one_line(gpu.driver)}"] if gpu.driver else []
    return [" + ".join(cards), *driver]


def _environments(facts: Facts) -> list[str]:
    used = [f"environment {one_line(one.name)} {one_line(one.current)}" for one in facts.environments if one.current]
    return used if len(used) <= _MOST else [*used[:_MOST], f"{len(used) - _MOST} more environments"]
