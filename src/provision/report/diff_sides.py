"""What `env diff` compared: an environment of a host, what it was held against, and what differs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.environment.drift import Change, Damage


class Against(str, Enum):
    """What an environment is held against."""

    BUILD = "build"
    LOCK = "lock"
    HOST = "host"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Diff:
    """One comparison; a change's `now` is what the first host has, its `was` what the other side has."""

    host: str
    environment: str
    generation: str
    against: Against
    other: str
    """How the other side is called: a host, a file, a folder."""
    changes: tuple[Change, ...]
    damage: tuple[Damage, ...] = ()
    since: tuple[tuple[str, str], ...] = ()
    """When a package came, by its name, as far as it is known."""
    other_generation: str | None = None
    """Of another host."""

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.changes and not self.damage
