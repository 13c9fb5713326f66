"""Whether a build holds code for a GPU.

Source: NVIDIA, "CUDA C++ Programming Guide", "Application Compatibility" and "Feature Availability"; names of
compilations as nvcc's ``--gpu-code`` and torch.cuda.get_arch_list() write them: ``sm_86`` is machine code, which runs
on the same major version from that minor version on; ``compute_90`` is PTX, which is compiled for that version and all
later ones at first use; the ending ``a`` binds to one version alone, ``f`` to its family (the same major version).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CODE = re.compile(r"(sm|compute)_([0-9]{1,3})([0-9])([af]?)\Z")
_CAPABILITY = re.compile(r"([0-9]{1,3})\.([0-9]{1,2})\Z")


class Code(str, Enum):
    """What a build has for a GPU."""

    MACHINE = "machine code"
    PTX = "PTX"
    """It is compiled at first use, and not at all on a driver older than the build's CUDA."""
    NONE = "none"
    UNKNOWN = "unknown"
    """The build or the GPU does not say."""


def code_for(architectures: Iterable[str], capability: str | None) -> Code:
    """Return what a build with these architectures has for a compute capability such as ``8.6``."""
    known = [match for one in architectures if (match := _CODE.match(one)) is not None]
    asked = _CAPABILITY.match(capability or "")
    if not known or asked is None:
        return Code.UNKNOWN
    device = (int(asked[1]), int(asked[2]))
    found = {match[1] for match in known if _runs((int(match[2]), int(match[3])), match[1], match[4], device)}
    return Code.MACHINE if "sm" in found else Code.PTX if found else Code.NONE


def _runs(built: tuple[int, int], form: str, ending: str, device: tuple[int, int]) -> bool:
    if ending == "a":
        return built == device
    if form == "sm" or ending == "f":
        return built[0] == device[0] and built[1] <= device[1]
    return built <= device


def code_for_amd(architectures: Iterable[str], architecture: str | None) -> Code:
    """Return what a ROCm build has for an AMD architecture such as ``gfx90a``; not run on hardware."""
    known = {one.partition(":")[0] for one in architectures if one.startswith("gfx")}
    if not known or architecture is None:
        return Code.UNKNOWN
    return Code.MACHINE if architecture in known else Code.NONE
