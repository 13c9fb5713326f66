"""Records of passed checks on a host, and whether they hold for what is there now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import EnvironmentFacts, Facts

COMPUTED, IMPORTED = "compute", "deep"
"""What a record proves: that the environment computes on every GPU; that it imports what it is for."""


def proof(facts: Facts, environment: EnvironmentFacts, kind: str) -> dict[str, Any] | None:
    """Return the record of a check, where it passed on this boot, with this driver, these cards and these packages."""
    record = facts.record(f"{kind}-{environment.project}-{environment.name}")
    depends = record.get("depends") if record is not None else None
    generation = environment.find(environment.current)
    if not isinstance(depends, dict) or environment.current is None:
        return None
    now = {
        "boot": facts.system.boot_id,
        "driver": facts.gpu.driver_loaded or facts.gpu.driver,
        "gpus": [one.uuid for one in facts.gpu.gpus],
        "mig_devices": list(facts.gpu.mig_devices),
        "generation": environment.current,
        "packages": generation.packages if generation is not None else None,
    }
    # A record without MIG devices is of cards that were whole.
    held = {"mig_devices": [], **depends}
    return record if all(held.get(key) == value for key, value in now.items()) else None


def proven(facts: Facts, environments: Iterable[EnvironmentFacts]) -> bool:
    """Whether one of the environments was seen to work here: with GPUs to compute on them, else to import."""
    kind = COMPUTED if facts.gpu.gpus else IMPORTED
    return any(proof(facts, one, kind) is not None for one in environments)
