"""The content of an environment.yml that is about to be written, line by line."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Pin(str, Enum):
    """How exactly the file says what is to be installed."""

    ASKED = "asked"
    """As it was asked for; what was installed by hand at its version."""
    VERSION = "version"
    """Every package at its version."""
    BUILD = "build"
    """Every package of conda at its version and build, those of pip at their version."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list."""

    text: str
    asked: str | None = None
    """The line that the environment was built from and that this one stands for."""


@dataclass(frozen=True, slots=True)
class Locked:
    """What a lock brought: nobody installed that by hand."""

    conda: Mapping[str, str] = field(default_factory=dict)
    """Versions by name."""
    pip: Mapping[str, str] = field(default_factory=dict)
    """Versions by name, normalised by PEP 503; empty for what came from an address."""
    unknown: bool = False
    """The build had a lock, and it is not here: nothing tells what was installed by hand."""


@dataclass(frozen=True, slots=True)
class Export:
    """The content of an environment.yml."""

    name: str
    channels: tuple[Entry, ...]
    dependencies: tuple[Entry, ...]
    pip: tuple[Entry, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    withheld: tuple[str, ...] = ()
    """Names of variables whose values look secret."""
    notes: tuple[str, ...] = ()
    """What could not be exported, or is not as it was asked for: one line each."""
