"""Which generations of an environment stay when room is made: a choice of names, nothing is read or removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


_NAMED = 3
"""Users of a generation that are named."""


@dataclass(frozen=True, slots=True)
class Built:
    """A generation as a host tells of it."""

    name: str
    """``<counter>-<8 hex digits>``."""
    complete: bool = True
    rejected: bool = False
    used_by: tuple[str, ...] = ()
    """Jobs and processes, in words."""
    size: int = 0
    """Bytes on the disk; a file with several names within it counts once."""
    freed: int = 0
    """Bytes that would be free without it alone: what it shares with a cache or another one stays."""
    built: float | None = None
    """Seconds since the epoch, by the host's clock."""
    digest: str | None = None
    lock: bool = False
    """Whether it was built from a lock."""

    @property
    def counter(self) -> int:
        """The number before the dash."""
        head = self.name.partition("-")[0]
        return int(head) if head.isascii() and head.isdigit() and len(head) <= 9 else 0  # noqa: PLR2004 - digits

    @property
    def usable(self) -> bool:
        """Whether it may become the current one."""
        return self.complete and not self.rejected


@dataclass(frozen=True, slots=True)
class Environment:
    """All generations of one environment of a host."""

    project: str
    name: str
    current: str | None
    generations: tuple[Built, ...] = field(default=())

    @property
    def previous(self) -> str | None:
        """The one that a rollback goes to: the newest usable one before the current."""
        now = next((one for one in self.generations if one.name == self.current), None)
        before = [one for one in self.generations if one.usable and now is not None and one.counter < now.counter]
        return max(before, key=lambda one: one.counter).name if before else None


def to_remove(environment: Environment, keep: int, also_kept: Collection[str] = ()) -> tuple[str, ...]:
    """Return the generations that nothing needs, oldest first.

    The current one stays, whatever a job or a process uses, `also_kept`, and the newest `keep` that are complete and
    not rejected.
    """
    stays = {one for one, _ in kept(environment, keep, also_kept)}
    return tuple(one.name for one in _by_age(environment) if one.name not in stays)


def kept(environment: Environment, keep: int, also_kept: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """Return each generation that stays with the reasons for it, oldest first; `also_kept`: a rollback needs them."""
    usable = [one.name for one in _by_age(environment) if one.usable]
    newest = usable[len(usable) - keep :] if 0 < keep < len(usable) else usable if keep else []
    found = []
    for one in _by_age(environment):
        why = [
            "current" if one.name == environment.current else "",
            f"used by {_users(one.used_by)}" if one.used_by else "",
            "a rollback needs it" if one.name in also_kept else "",
            f"one of the {keep} newest"
            if one.name in newest and keep > 1
            else "the newest"
            if one.name in newest
            else "",
        ]
        if any(why):
            found.append((one.name, ", ".join(filter(None, why))))
    return tuple(found)


def _by_age(environment: Environment) -> list[Built]:
    return sorted(environment.generations, key=lambda one: one.counter)


def _users(used_by: tuple[str, ...]) -> str:
    more = len(used_by) - _NAMED
    return ", ".join(used_by[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def environments_of(told: object) -> tuple[Environment, ...]:
    """Return what a host tells of its environments.

    Raises:
        ValueError: it is nothing that we understand.
    """
    if not isinstance(told, dict) or told.get("format") != 1 or not isinstance(told.get("environments"), list):
        raise ValueError("the list of environments is not understood")
    try:
        return tuple(_environment(one) for one in told["environments"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the list of environments is not understood: {error}") from None


def _environment(one: dict[str, object]) -> Environment:
    current, generations = one["current"], one["generations"]
    if not isinstance(generations, list):
        raise TypeError("generations")
    return Environment(
        str(one["project"]),
        str(one["name"]),
        current if isinstance(current, str) else None,
        tuple(_built(each) for each in generations),
    )


def _built(one: dict[str, object]) -> Built:
    marker = one["marker"] if isinstance(one["marker"], dict) else {}
    built, digest = marker.get("built"), marker.get("digest")
    return Built(
        str(one["name"]),
        one["complete"] is True,
        one["rejected"] is True,
        _texts(one["used_by"]),
        _bytes(one["bytes"]),
        _bytes(one["freed"]),
        float(built) if isinstance(built, int) and 0 <= built < 1 << 40 else None,
        digest if isinstance(digest, str) else None,
        isinstance(marker.get("lock"), str),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _bytes(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
