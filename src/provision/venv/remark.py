"""What the doctor says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(str, Enum):
    """How much it matters."""

    OK = "ok"
    ADVICE = "advice"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Remark:
    """One line of the doctor's, with what to do where something is to be done."""

    check: str
    """What was looked at, by a name that stays: ``requirements-unmet``."""
    level: Level
    text: str
    fix: str | None = None
    names: tuple[str, ...] = ()
    """Everything that it is about, where the text shows the first few."""


@dataclass(frozen=True, slots=True)
class Section:
    """Remarks about one thing."""

    title: str
    remarks: tuple[Remark, ...]


SHOWN = 6
"""Names that a line shows."""


def ok(check: str, text: str) -> Remark:
    """Return that all is well."""
    return Remark(check, Level.OK, text)


def advice(check: str, text: str, fix: str | None = None, names: tuple[str, ...] = ()) -> Remark:
    """Return what might be better."""
    return Remark(check, Level.ADVICE, text, fix, names)


def problem(check: str, text: str, fix: str | None = None, names: tuple[str, ...] = ()) -> Remark:
    """Return what does not work, or will not work on a host."""
    return Remark(check, Level.PROBLEM, text, fix, names)


def some(names: tuple[str, ...] | list[str]) -> str:
    """Return the first few names, and how many more there are."""
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
