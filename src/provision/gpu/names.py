"""Whether a GPU is the one that was ordered."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z0-9]+")


def is_model(name: str, wanted: str) -> bool:
    """Return whether a GPU's name holds the wanted model as whole words, whatever the case.

    ``A10`` is no part of ``NVIDIA A100-SXM4-80GB``; ``rtx4090`` is the ``RTX 4090``.
    """
    words = _WORD.findall(name.lower())
    asked = _WORD.findall(wanted.lower())
    runs = {"".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    return bool(asked) and (set(asked) <= set(words) or "".join(asked) in runs)
