"""What differs between two locks, by package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.environment.lock import Lock


@dataclass(frozen=True, slots=True)
class PackageChange:
    """One package that is not in both as it is in one."""

    kind: str
    """``conda`` or ``pip``."""
    name: str
    before: str | None
    """Version, and for conda the build; ``None``: it was not there."""
    after: str | None
    """The same; ``None``: it is not there any more."""

    @property
    def line(self) -> str:
        """The change as a diff shows it."""
        where = " (pip)" if self.kind == "pip" else ""
        if self.before is None:
            return f"+ {self.name} {self.after}{where}"
        if self.after is None:
            return f"- {self.name} {self.before}{where}"
        return f"~ {self.name} {self.before} -> {self.after}{where}"


def changes(before: Lock | None, after: Lock) -> tuple[PackageChange, ...]:
    """Return what changes from one lock to another, conda's packages first, by name."""
    found: list[PackageChange] = []
    for kind in ("conda", "pip"):
        had = _packages(before, kind) if before is not None else {}
        has = _packages(after, kind)
        for name in sorted(had.keys() | has.keys()):
            old, new = had.get(name), has.get(name)
            if old != new:
                found.append(PackageChange(kind, name, *_told(old, new)))
    return tuple(found)


def _packages(lock: Lock, kind: str) -> Mapping[str, tuple[str, str, str]]:
    """Return version, build and checksums of each package."""
    if kind == "conda":
        return {one.name: (one.version, one.build, one.sha256) for one in lock.conda}
    return {one.name: (one.version, "", " ".join(sorted(one.hashes))) for one in lock.pip}


def _told(old: tuple[str, str, str] | None, new: tuple[str, str, str] | None) -> tuple[str | None, str | None]:
    """Return both as short as they can be told apart."""
    both = old is not None and new is not None
    for length in (1, 2):
        if not both or (old and new and old[:length] != new[:length]):
            return tuple(None if one is None else " ".join(filter(None, one[:length])) for one in (old, new))  # type: ignore[return-value]
    return tuple(None if one is None else f"{one[0]} (sha256 {one[2][:8]})" for one in (old, new))  # type: ignore[return-value]
