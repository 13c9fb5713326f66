"""The line of the verdict: which framework computes on what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.environment.frameworks.report import NAMES
from provision.environment.frameworks.results import proven
from provision.environment.frameworks.said import called

if TYPE_CHECKING:
    from provision.environment.frameworks.report import Computation, Framework, FrameworkReport


def summary(report: FrameworkReport) -> str | None:
    """Return such as ``torch 2.5.1+cu124 computes on all 8``; ``None`` where the environment has no framework."""
    return "; ".join(_one(framework) for framework in report.frameworks) or None


def absence(report: FrameworkReport) -> str | None:
    """Return that nothing can prove the GPUs, where the environment has no framework; else ``None``."""
    return None if report.frameworks else f"no {', '.join(NAMES[:-1])} or {NAMES[-1]} to compute with"


def _one(framework: Framework) -> str:
    if framework.description is None:
        return f"{framework.name} cannot be used"
    name = called(framework)
    gpus = [one for one in framework.computations if one.device != "cpu"]
    right = sum(proven(one) for one in gpus)
    if not gpus:
        on_cpu = framework.computations and proven(framework.computations[0])
        return f"{name} computes on the CPU" if on_cpu else f"{name} computes nowhere"
    if right == len(gpus):
        return f"{name} computes on " + (f"the {_device(gpus)}" if right == 1 else f"all {right}{_devices(gpus)}")
    return f"{name} computes on {right or 'none'} of {len(gpus)}{_devices(gpus)}"


def _device(gpus: list[Computation]) -> str:
    return "MIG device" if _slices(gpus) else "GPU"


def _devices(gpus: list[Computation]) -> str:
    return " MIG devices" if _slices(gpus) else ""


def _slices(gpus: list[Computation]) -> bool:
    return all(one.device.startswith("MIG-") for one in gpus)
