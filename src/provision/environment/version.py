"""conda's order of versions.

Source: the conda documentation of ``conda.models.version.VersionOrder`` and CEP 33 (conda/ceps).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import total_ordering
from itertools import zip_longest
from typing import TypeAlias

Atom: TypeAlias = tuple[int, int, str]
"""Rank, number, letters. Ranks: ``dev`` 0, letters 1, numbers 2, ``post`` 3."""
Component: TypeAlias = tuple[Atom, ...]

_ZERO: Atom = (2, 0, "")
_ALLOWED = re.compile(r"[0-9a-z_.+!*]+\Z")
_ATOMS = re.compile(r"[0-9]+|[^0-9]+")
_RANKS = {"dev": 0, "post": 3}
_LONGEST = 256
_LONGEST_NUMBER = 1000


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version, with the text that it was read from."""

    text: str
    epoch: int = field(repr=False)
    main: tuple[Component, ...] = field(repr=False)
    local: tuple[Component, ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Version:
        """Return the version that the text means.

        Raises:
            ValueError: The text is no version; the message is one line.
        """
        plain = text.strip().lower()
        if not plain or len(plain) > _LONGEST:
            raise ValueError(f"{text[:40]!r} is not a version")
        if "-" in plain:
            if "_" in plain:
                raise ValueError(f"version {text!r} mixes '-' and '_'")
            plain = plain.replace("-", "_")
        if not _ALLOWED.match(plain) or "*" in plain:
            raise ValueError(f"version {text!r} has characters that a version cannot have")
        epoch, bang, rest = plain.partition("!")
        if bang and not epoch.isdigit():
            raise ValueError(f"the epoch of version {text!r} is not a number")
        main, plus, local = (rest if bang else plain).partition("+")
        if "!" in main or "+" in local or "!" in local or (plus and not local):
            raise ValueError(f"version {text!r} has more than one epoch or local part, or an empty one")
        return cls(text, int(epoch) if bang else 0, _components(main, text), _components(local, text) if plus else ())

    def starts_with(self, prefix: Version) -> bool:
        """Whether this version lies below the prefix: 1.2.3 and 1.2rc1 start with 1.2."""
        if self.epoch != prefix.epoch:
            return False
        if prefix.local:
            return not _compare(self.main, prefix.main) and _begins(self.local, prefix.local)
        return _begins(self.main, prefix.main)

    def compatible_with(self, bound: Version) -> bool:
        """Whether ``~=bound`` holds: at least the bound, and the same up to its last component."""
        shorter = Version("", bound.epoch, bound.main[:-1], ())
        return self >= bound and self.starts_with(shorter)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._compare(other) == 0

    def __lt__(self, other: Version) -> bool:
        return self._compare(other) < 0

    def __hash__(self) -> int:
        return hash((self.epoch, _stripped(self.main), _stripped(self.local)))

    def _compare(self, other: Version) -> int:
        if self.epoch != other.epoch:
            return -1 if self.epoch < other.epoch else 1
        return _compare(self.main, other.main) or _compare(self.local, other.local)


def _components(text: str, whole: str) -> tuple[Component, ...]:
    # A trailing underscore stays with the last component: 1.0.2_ comes before 1.0.2a (OpenSSL's habit).
    tail = "_" if text.endswith("_") else ""
    parts = (text[:-1] if tail else text).replace("_", ".").split(".")
    if not all(parts):
        raise ValueError(f"version {whole!r} has an empty part")
    parts[-1] += tail
    return tuple(_component(part, whole) for part in parts)


def _component(part: str, whole: str) -> Component:
    pieces = _ATOMS.findall(part)
    if any(len(piece) > _LONGEST_NUMBER for piece in pieces):
        raise ValueError(f"version {whole!r} is too long")
    atoms = tuple((2, int(piece), "") if piece[0].isdigit() else _letters(piece) for piece in pieces)
    # A component begins with a number; where none is written it is 0: 1.a1 is 1.0a1.
    return atoms if atoms[0][0] == _ZERO[0] else (_ZERO, *atoms)


def _letters(piece: str) -> Atom:
    rank = _RANKS.get(piece)
    return (1, 0, piece) if rank is None else (rank, 0, "")


def _compare(left: tuple[Component, ...], right: tuple[Component, ...]) -> int:
    for mine, theirs in zip_longest(left, right, fillvalue=(_ZERO,)):
        for one, other in zip_longest(mine, theirs, fillvalue=_ZERO):
            if one != other:
                return -1 if one < other else 1
    return 0


def _begins(version: tuple[Component, ...], prefix: tuple[Component, ...]) -> bool:
    if not prefix:
        return True
    *head, last = prefix
    count = len(head)
    if _compare(version[:count], tuple(head)):
        return False
    mine = version[count] if count < len(version) else (_ZERO,)
    for one, wanted in zip_longest(mine[: len(last) - 1], last[:-1], fillvalue=_ZERO):
        if one != wanted:
            return False
    end = mine[len(last) - 1] if len(mine) >= len(last) else _ZERO
    if last[-1][0] == 1:
        return end[0] == 1 and end[2].startswith(last[-1][2])
    return end == last[-1]


def _stripped(components: tuple[Component, ...]) -> tuple[Component, ...]:
    kept = [_trimmed(component) for component in components]
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


def _trimmed(component: Component) -> Component:
    size = len(component)
    while size and component[size - 1] == _ZERO:
        size -= 1
    return component[:size]
