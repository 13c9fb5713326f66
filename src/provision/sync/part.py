"""The name of what a pull has not finished: ``.NAME.provision-part``, beside its place."""

from __future__ import annotations

PART = b".provision-part"


def is_part(name: bytes) -> bool:
    """Whether a name in a folder is that of an unfinished pull."""
    return name.startswith(b".") and name.endswith(PART)
