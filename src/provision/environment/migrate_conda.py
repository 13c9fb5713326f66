"""conda's lines for another machine: what is named for a CUDA, built for one, or made for one processor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.environment.builds import FRAMEWORKS
from provision.environment.cuda_wanted import NAMED_FOR_CUDA
from provision.environment.matchspec import parse
from provision.environment.migrate_target import Change

if TYPE_CHECKING:
    from provision.environment.cuda_wanted import CudaDemand
    from provision.environment.matchspec import MatchSpec
    from provision.environment.migrate_target import Target

_OF_CUDA = re.compile(
    r"__cuda|cuda|cuda-.*|cudatoolkit(-dev)?|cudnn|nccl|cutensor|cusparselt|libcud(nn|ss).*"
    r"|libcu(blas|fft|rand|solver|sparse|file)(-.*)?"
)
"""Packages that are CUDA and nothing else: without a GPU nobody needs them."""
_FOR_CPU = {"pytorch-gpu": "pytorch-cpu", "tensorflow-gpu": "tensorflow-cpu", "pytorch-cuda": "cpuonly"}
_INTEL = frozenset({"mkl", "mkl-service", "mkl_fft", "mkl_random", "mkl-devel", "intel-openmp", "dpcpp-cpp-rt"})
_GPU_BUILD = re.compile(r"cuda|gpu", re.IGNORECASE)
_CUDA_OF_BUILD = re.compile(r"cuda_?\d.*", re.IGNORECASE)


def conda_change(text: str, demand: CudaDemand | None, target: Target) -> Change | None:
    """Return what becomes of a line; ``None``: it stays.

    Args:
        text: A match specification.
        demand: The CUDA that it asks for, where it does.
        target: The machine.
    """
    try:
        spec = parse(text)
    except ValueError:
        return None
    if target.architecture != "x86_64" and spec.name in _INTEL:
        return Change(text, None, f"there is none for {target.name}'s processor, {target.architecture}")
    if not target.gpu:
        return _for_cpu(spec, target)
    if demand is None or set(demand.toolkits) & set(target.fitting) or target.condition is None:
        return None
    why = target.why_not(demand.toolkits[0])
    if spec.name in NAMED_FOR_CUDA:
        origin = f"{spec.channel}::" if spec.channel else ""
        return Change(text, f"{origin}{spec.name}{target.condition}", why)
    # Which builds a channel has, only the solver sees: any for a CUDA that the file's cuda-version admits.
    return Change(text, _with_build(spec, _CUDA_OF_BUILD.sub("cuda*", spec.build or "*")), why, wants_version=True)


def _for_cpu(spec: MatchSpec, target: Target) -> Change | None:
    why = f"{target.name} has no NVIDIA GPU"
    instead = _FOR_CPU.get(spec.name)
    if instead == "cpuonly":
        return Change(spec.text, instead, f"{why}: the package of the channel pytorch that chooses builds for the CPU")
    if instead is not None:
        return Change(spec.text, re.sub(rf"\b{spec.name}\b", instead, spec.text, flags=re.IGNORECASE), why)
    if _OF_CUDA.fullmatch(spec.name):
        return Change(spec.text, None, why)
    if spec.build is not None and _GPU_BUILD.search(spec.build):
        # Only these name their other builds for the CPU.
        build = "*cpu*" if spec.name in FRAMEWORKS and not spec.name.startswith("tensorflow") else "*"
        return Change(spec.text, _with_build(spec, build), f"{why}, and this is a build for one")
    return None


def _with_build(spec: MatchSpec, build: str) -> str:
    before, _, after = spec.text.rpartition(spec.build or "")
    return f"{before}{build}{after}"
