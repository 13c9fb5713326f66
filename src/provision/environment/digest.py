"""The digest of an environment's meaning: hosts with the same digest need the same packages."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.environment.spec import EnvironmentSpec


def digest(spec: EnvironmentSpec, platform: str, variant: str | None, *, cuda: bool) -> str:
    """Return the SHA-256, in hex, of what an environment on such a host is made from.

    Comments, layout, mirrors, and the order of dependencies and variables do not count; the order of
    channels and of pip lines does, for it changes what is installed. ``platform`` is conda's (``linux-64``),
    ``cuda`` the presence of ``__cuda``.
    """
    meaning = {
        "format": 1,
        "channels": spec.channels,
        "dependencies": sorted(set(spec.dependencies)),
        "pip": [" ".join(line.split()) for line in spec.pip],
        "constraints": [" ".join(line.split()) for line in spec.constraints],
        "variables": dict(spec.variables),
        "platform": platform,
        "variant": variant,
        "cuda": cuda,
    }
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def locked_digest(asked: str, content: str) -> str:
    """Return the digest of a build from a lock: of what was asked for, and of all that the lock installs for it."""
    return hashlib.sha256(f"{asked} {content}".encode()).hexdigest()
