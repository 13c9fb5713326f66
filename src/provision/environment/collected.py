"""What collect_environments.py says of what it removed, or would remove."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("generations", "packages", "old", "leftovers")
"""What goes: generations, packages of the caches, old downloads, and what an interrupted run left."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A generation that stays, and why."""

    project: str
    environment: str
    generation: str
    why: str

    @property
    def path(self) -> str:
        """The generation as a message names it."""
        return f"{self.project}/{self.environment}/{self.generation}"


@dataclass(frozen=True, slots=True)
class Collected:
    """What went, or would go, on one host."""

    freed: int
    """Bytes that are free without it."""
    generations: tuple[str, ...]
    """Their folders."""
    counts: tuple[tuple[str, int], ...]
    """How many things of each of `KINDS`."""
    failed: tuple[tuple[str, str], ...] = ()
    """Paths that could not be removed, and why."""
    stays: tuple[Kept, ...] = ()
    """Generations that were to go, and are in use by now."""

    @property
    def empty(self) -> bool:
        """Whether nothing goes."""
        return not any(number for _, number in self.counts)


def collected_of(told: object) -> Collected:
    """Return what the script said.

    Raises:
        ValueError: it is nothing that we understand.
    """
    if not isinstance(told, dict) or told.get("format") != 1:
        raise ValueError("what became of it is not understood")
    try:
        return Collected(
            _number(told["freed"]),
            tuple(str(one) for one in told["generations"][:_MOST]),
            tuple((name, _number(told["counts"][name])) for name in KINDS),
            tuple((str(path), str(why)) for path, why in told["failed"][:_MOST]),
            tuple(Kept(*(str(part) for part in one)) for one in told["stays"][:_MOST]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"what became of it is not understood: {error}") from None


def _number(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError("a number")
    return value
