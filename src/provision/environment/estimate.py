"""How much disk a build needs, roughly: so that a full disk is told before the download, not after an hour of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MIB = 1 << 20
BASE = 400 * MIB
EACH = 40 * MIB
"""For a package with what it brings along."""

# Unpacked size with dependencies, and the archives in the package cache beside it: read off conda-forge and PyPI
# metadata of 2025 and rounded up.
HEAVY: tuple[tuple[str, int, int], ...] = (
    (r"pytorch|torch", 8000 * MIB, 1500 * MIB),
    (r"tensorflow\S*", 6000 * MIB, 2500 * MIB),
    (r"jax\S*", 5000 * MIB, 1000 * MIB),
    (r"cuda|cuda-toolkit|cudatoolkit", 5000 * MIB, 5000 * MIB),
    (r"vllm|deepspeed|nemo\S*", 6000 * MIB, 3000 * MIB),
)


def disk_needed(dependencies: Iterable[str], requirements: Iterable[str], *, gpu: bool) -> int:
    """Return the bytes that a build with these conda specifications and pip lines needs."""
    total = BASE
    for line in (*dependencies, *requirements):
        name = re.split(r"[\s=<>!~\[;@]", line.strip().rsplit("::", 1)[-1], maxsplit=1)[0].lower()
        if not name or name.startswith("-"):
            continue
        total += next((big if gpu else small for pattern, big, small in HEAVY if re.fullmatch(pattern, name)), EACH)
    return total
