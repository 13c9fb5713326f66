"""What a good host is, in one line of its facts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provision.report.display import one_line

if TYPE_CHECKING:
    from provision.model.facts import Facts, GpuFacts

_MIB_PER_GIB = 1024
_MOST = 4
_MAKERS = {"amd": "AMD", "ascend": "Ascend"}


def fact_line(facts: Facts) -> str:
    """Return ``1x NVIDIA A10 (22.0 GiB), driver 550.54, environment mymodel 1-3f2a91bc``, as far as it is there."""
    return ", ".join((*_gpus(facts.gpu), *_computed(facts), *_environments(facts)))


def activated_names(facts: Facts) -> tuple[str, ...]:
    """Return the names that `conda activate` takes on the host for environments of ours."""
    ours = f"{facts.state_dir}/envs/"
    return tuple(one.name for one in facts.conda_links if one.target and one.target.startswith(ours))


def _gpus(gpu: GpuFacts) -> list[str]:
    if not gpu.gpus:
        traces = "AMD" if gpu.amd else "Ascend" if gpu.ascend else None
        return [f"no GPU that can be used (traces of {traces})" if traces else "no GPU"]
    kinds = Counter((one.name, one.memory_mib) for one in gpu.gpus)
    cards = [
        f"{number}x {one_line(name) or 'unreadable'}" + (f" ({memory / _MIB_PER_GIB:.1f} GiB)" if memory else "")
        for (name, memory), number in kinds.items()
    ]
    serves = f" serves CUDA {one_line(gpu.cuda)}" if gpu.cuda else ""
    driver = [f"driver {one_line(gpu.driver)}{serves}"] if gpu.driver else []
    return [" + ".join(cards), *driver, *_other_drivers(gpu)]


def _other_drivers(gpu: GpuFacts) -> list[str]:
    """Return ``AMD driver 6.16.13 (not run on hardware)`` for each maker whose tool is known from documents alone."""
    there = {one.vendor for one in gpu.gpus}
    return [
        " ".join(filter(None, (_MAKERS.get(one.vendor, one.vendor), "driver", one_line(one.driver or ""))))
        + " (not run on hardware)"
        for one in gpu.others
        if one.vendor in there
    ]


def _computed(facts: Facts) -> list[str]:
    """What was seen to compute, on this boot, with this driver, in the generations that are in use."""
    used = {one.current for one in facts.environments if one.current}
    driver = facts.gpu.driver_loaded or facts.gpu.driver
    said = []
    for name, record in facts.records:
        depends = record.get("depends")
        if not name.startswith("compute-") or not isinstance(depends, dict):
            continue
        holds = depends.get("boot") == facts.system.boot_id and depends.get("driver") == driver
        if holds and depends.get("generation") in used and isinstance(record.get("summary"), str):
            said.append(one_line(record["summary"]))
    return list(dict.fromkeys(said))[:_MOST]


def _environments(facts: Facts) -> list[str]:
    used = [f"environment {one_line(one.name)} {one_line(one.current)}" for one in facts.environments if one.current]
    return used if len(used) <= _MOST else [*used[:_MOST], f"{len(used) - _MOST} more environments"]
