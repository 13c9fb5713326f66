"""JSON Schemas of the files that users write, generated from the types that decode them.

``python -m provision.schemas`` writes them anew.
"""

from __future__ import annotations

from pathlib import Path


def schema_path(kind: str) -> Path:
    """Return the shipped schema of ``hosts``, ``provision``, ``playbook``, ``environment`` or ``pitfalls``."""
    return Path(__file__).parent / f"{kind}.schema.json"


__all__ = ["schema_path"]
