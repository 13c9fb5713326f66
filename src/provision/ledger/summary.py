"""What a host is, in a few words: what the ledger keeps of its facts and compares from run to run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provision.report.asked import in_use

if TYPE_CHECKING:
    from provision.model.facts import Facts
    from provision.report.asked import Asked

COMPARED = (
    "target",
    "provider",
    "gpus",
    "driver",
    "cuda",
    "miniconda",
    "environment",
    "generation",
    "packages_digest",
    "system",
    "kernel",
    "glibc",
    "machine",
)
"""Facts of which a change is told."""
MOST_CARDS, LONGEST_NAME = 64, 100
"""What is kept of the cards' names, however many a host says it has."""
_MIB_PER_GIB = 1024


def summary(target: str, facts: Facts, asked: tuple[Asked, ...] | None) -> dict[str, object]:
    """Return what the ledger keeps of a host's facts (see `HostState.facts`)."""
    system, gpu = facts.system, facts.gpu
    used = in_use(facts, asked)
    builds = [one.find(one.current) for one in used]
    digests = [one.packages for one in builds if one is not None and one.packages]
    conda = next((one for one in facts.condas if one.runs), None)
    cards = sorted(gpu.gpus, key=lambda one: one.index if one.index is not None else len(gpu.gpus))
    kinds = Counter((one.name, one.memory_mib) for one in cards)
    shown = [
        f"{number}x {name}" + (f" ({memory / _MIB_PER_GIB:.1f} GiB)" if memory else "")
        for (name, memory), number in kinds.items()
    ]
    return {
        "target": target,
        "provider": system.cloud,
        "gpus": " + ".join(shown) or None,
        "driver": gpu.driver,
        "cuda": gpu.cuda,
        "miniconda": conda.version if conda is not None else None,
        "environment": ", ".join(one.name for one in used) or None,
        "generation": ", ".join(one.current or "" for one in used) or None,
        "packages_digest": ", ".join(digests) or None,
        "system": system.os or system.system,
        "kernel": system.kernel,
        "glibc": system.glibc,
        "machine": system.machine_id,
        "gpu_uuids": [one.uuid[:LONGEST_NAME] for one in cards[:MOST_CARDS]],
    }
