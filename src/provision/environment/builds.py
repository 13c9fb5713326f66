"""Whether a package was built for a GPU or for the CPU alone.

Source: build strings as the channels write them (the files pages of anaconda.org).

- conda-forge (libtorch, jaxlib, tensorflow): ``cpu_generic_py312h...``, ``cuda126_mkl_py312h...``.
- pytorch: ``py3.12_cuda12.4_cudnn9.1.0_0``, ``py3.12_cpu_0``.
- defaults: ``cpu_py312h...``, ``gpu_cuda124py312h...``; tensorflow: ``mkl_py311h...``, ``eigen_...``.
- PyTorch's own wheels say it in the local version: ``2.4.0+cpu``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.environment.listing import Listing
    from provision.environment.matchspec import MatchSpec

FRAMEWORKS = frozenset(
    {"pytorch", "libtorch", "jaxlib", "tensorflow", "tensorflow-base", "libtensorflow", "libtensorflow_cc"}
)
WHEELS = frozenset({"torch", "torchvision", "torchaudio"})
CPU_ONLY = frozenset({"cpuonly", "pytorch-cpu", "tensorflow-cpu", "intel-tensorflow"})
"""Packages that are asked for to get a build for the CPU."""

_GPU = re.compile(r"cuda|gpu|rocm|hip", re.IGNORECASE)
_CPU = re.compile(r"(^|[_.-])cpu([_.-]|py|$)", re.IGNORECASE)
_TENSORFLOW_CPU = re.compile(r"(mkl|eigen)_")


def for_cpu(name: str, build: str) -> bool:
    """Whether the build string of a framework says that it cannot use a GPU; no word on it says nothing."""
    if _GPU.search(build):
        return False
    return _CPU.search(build) is not None or (
        name.startswith("tensorflow") and _TENSORFLOW_CPU.match(build) is not None
    )


def cpu_builds(listing: Listing) -> Iterator[tuple[str, str]]:
    """Yield name and description of each framework that was built for the CPU."""
    for package in listing.conda:
        if package.name in FRAMEWORKS and for_cpu(package.name, package.build):
            yield package.name, package.shown
    for wheel in listing.pip:
        if canonicalize_name(wheel.name) in WHEELS and wheel.version.lower().endswith("+cpu"):
            yield canonicalize_name(wheel.name), f"{wheel.name} {wheel.version} (pip)"


def asks_for_cpu(spec: MatchSpec) -> bool:
    """Whether the user's own words choose a build for the CPU."""
    return spec.name in CPU_ONLY or (
        spec.name in FRAMEWORKS and spec.build is not None and for_cpu(spec.name, spec.build.replace("*", "_"))
    )


def pip_asks_for_cpu(lines: Sequence[str]) -> bool:
    """Whether the user's own pip section chooses a build for the CPU: by a version, or by PyTorch's index of them."""
    written = [line.partition("#")[0] for line in lines]
    return any("+cpu" in line or "%2Bcpu" in line or "/whl/cpu" in line for line in written)
