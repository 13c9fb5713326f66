"""Dotted versions, compared part by part as numbers: 550.54 is above 550.9, and 550 equals 550.0."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Version = tuple[int, ...]

_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,7}")
_CONDITION = re.compile(r"(>=|<=|==|!=|>|<)?\s*(\d{1,9}(?:\.\d{1,9}){0,7})(\.\*)?")
_COMPARE: dict[str, Callable[[Version, Version], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


def parse_version(text: str) -> Version:
    """Return a version's numbers, without zeros at its end.

    Raises:
        ValueError: The text is no dotted version.
    """
    if not _VERSION.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a dotted version")
    parts = [int(part) for part in text.strip().split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def check_condition(condition: str) -> None:
    """Refuse a condition that `satisfies` could not read.

    Raises:
        ValueError: It is not a list of comparisons such as ``>=550.54,<580``.
    """
    _comparisons(condition)


def satisfies(version: str, condition: str) -> bool:
    """Return whether a version meets every comparison of a condition.

    A bare version, or one that ends in ``.*``, stands for that branch: ``550`` is met by 550.54.14.

    Raises:
        ValueError: The version or the condition cannot be read.
    """
    return all(_meets(version, *one) for one in _comparisons(condition))


def _comparisons(condition: str) -> list[tuple[str, str]]:
    found = []
    for part in condition.split(","):
        match = _CONDITION.fullmatch(part.strip())
        if match is None or (match[3] and match[1] not in {None, "==", "!="}):
            raise ValueError(f"{part.strip()!r} is not a comparison such as '>=550.54'")
        sign = match[1] or "branch"
        if match[3]:
            sign = "outside" if sign == "!=" else "branch"
        found.append((sign, match[2]))
    return found


def _meets(version: str, sign: str, wanted: str) -> bool:
    have, want = parse_version(version), parse_version(wanted)
    if sign in _COMPARE:
        return _COMPARE[sign](have, want)
    written = tuple(int(part) for part in wanted.split("."))
    inside = (*have, *[0] * len(written))[: len(written)] == written
    return inside is (sign == "branch")
