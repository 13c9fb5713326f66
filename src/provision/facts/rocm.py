"""What rocm-smi tells where there is no amd-smi (ROCm 5 and older). From documented output, not run on hardware.

It has names, memory and the bus, and nothing about memory errors: ``--showrasinfo`` has no JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.facts.answers import document_in
from provision.facts.lines import number
from provision.model.facts import Gpu

if TYPE_CHECKING:
    from provision.facts.answers import Answer

INTEGRATED = frozenset(
    {
        *("gfx902", "gfx909", "gfx90c", "gfx1013", "gfx1033", "gfx1035", "gfx1036"),
        *("gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153"),
    }
)
"""Processors of the type "APU" in the table of LLVM's user guide for AMDGPU, without MI300A's gfx942."""
_CARD = re.compile(r"card(\d{1,4})")
_INTEGRATED_NAME = re.compile(
    r"\b(?:Raphael|Phoenix\d?|Renoir|Cezanne|Barcelo|Rembrandt|Mendocino|Raven|Picasso|Lucienne|Strix|Krackan"
    r"|Hawk Point|Granite Ridge|Van ?Gogh)\b|^AMD Radeon(?:\(TM\))? Graphics$|Radeon(?:\(TM\))? \d{3}M\b",
    re.IGNORECASE,
)
"""Names of GPUs that are part of a processor; older versions have no better sign of them."""


def rocm_gpus(found: Answer) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """Return the cards, and the names of the integrated GPUs beside them."""
    told = document_in(found) if found.code == 0 else None
    gpus, integrated = [], []
    for key, values in (told or {}).items():
        match = _CARD.fullmatch(key)
        if match is None or not isinstance(values, dict):
            continue
        # Versions differ in the case of the fields: "Card series", "Card Series".
        texts = {str(name).lower(): str(text).strip() for name, text in values.items()}
        gpu = _gpu(int(match[1]), texts)
        if _INTEGRATED_NAME.search(gpu.name) or texts.get("gfx version") in INTEGRATED:
            integrated.append(gpu.name)
        else:
            gpus.append(gpu)
    return tuple(gpus), tuple(integrated)


def _gpu(index: int, texts: dict[str, str]) -> Gpu:
    total, used = (number(texts.get(f"vram total {part}memory (b)")) for part in ("", "used "))
    bus_id = _known(texts.get("pci bus"))
    failures = []
    if total is None:
        failures.append(f"VRAM Total Memory (B): {texts.get('vram total memory (b)', 'no answer')[:100]}")
    return Gpu(
        index=index,
        uuid=_known(texts.get("unique id")) or bus_id or f"card{index}",
        name=_known(texts.get("card series")) or _known(texts.get("device name")) or "",
        bus_id=bus_id,
        memory_mib=None if total is None else total >> 20,
        memory_used_mib=None if used is None else used >> 20,
        failures=tuple(failures),
        vendor="amd",
    )


def _known(text: str | None) -> str | None:
    return None if text is None or text.upper() in {"", "N/A"} else text
