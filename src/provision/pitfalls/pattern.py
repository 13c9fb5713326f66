"""Which regular expressions may search an output: those whose cost has a bound that can be told beforehand.

Python's engine tries every way to divide a text among the repeats of an expression. Where no repeat stands within
another one, those ways are at most the product of their lengths, which is counted here.
"""

from __future__ import annotations

import importlib
import re
import warnings
from typing import Any

from provision.decode import printable

LONGEST_LINE = 1_000
"""Characters of a line that are searched at once; what is longer is cut into overlapping pieces."""
LONGEST_PATTERN = 400
"""Characters that an expression may have."""
MOST_TRIES = 20_000
"""Ways to divide a line among the repeats, from one place to start at, where few places are one."""
MOST_TRIES_ANYWHERE = 1_500
"""The same for an expression that does not begin with a text: every place is one to start at."""
FEWEST_LETTERS = 4
"""Characters in a row that must stand in the output, so that an expression says something."""

_NEWLINE = 10
_WITH_NEWLINE = {"CATEGORY_SPACE", "CATEGORY_NOT_WORD", "CATEGORY_NOT_DIGIT"}
_PLAIN_FLAGS = re.IGNORECASE | re.UNICODE


def pattern(value: str) -> str:
    """Return an expression that may be searched for; raises `ValueError`."""
    if len(value) > LONGEST_PATTERN:
        raise ValueError(f"longer than {LONGEST_PATTERN} characters: write several signatures")
    tries, letters = weight(value)
    if tries > (MOST_TRIES if _begins_with_text(value) else MOST_TRIES_ANYWHERE):
        raise ValueError(
            f"'{printable(value)}' could take too long on a long line: give its repeats upper bounds, such as .{{0,80}}"
        )
    if letters < FEWEST_LETTERS:
        raise ValueError(
            f"'{printable(value)}' says too little: it needs {FEWEST_LETTERS} characters in a row that must be there"
        )
    return value


def weight(value: str) -> tuple[int, int]:
    """Return how many ways a line can be tried from one place, and how many letters in a row must be there.

    Raises:
        ValueError: it is no regular expression, or uses what makes its cost unbounded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            parsed = _parser().parse(value, re.MULTILINE)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"'{printable(value)}' is not a regular expression: {printable(str(error))}") from None
    if parsed.state.flags & ~(_PLAIN_FLAGS | re.MULTILINE):
        raise ValueError(f"'{printable(value)}': of the flags only (?i) is taken")
    try:
        return _sequence(parsed)
    except _RefusedError as refused:
        raise ValueError(f"'{printable(value)}': {refused}") from None


def _begins_with_text(value: str) -> bool:
    first = list(_parser().parse(value, re.MULTILINE))[:FEWEST_LETTERS]
    return len(first) == FEWEST_LETTERS and all(str(op) == "LITERAL" for op, _ in first)


class _RefusedError(Exception):
    """Something stands in the expression that is not taken."""


def _parser() -> Any:
    """Return the standard library's own parser of expressions, which moved in Python 3.11."""
    return getattr(re, "_parser", None) or importlib.import_module("sre_parse")


def _sequence(items: Any) -> tuple[int, int]:
    tries = 1
    row = longest = 0
    for op, argument in items:
        kind = str(op)
        if kind == "LITERAL":
            row += 1
            longest = max(longest, row)
            continue
        if kind == "AT":
            continue
        row = 0
        own, letters = _one(kind, argument)
        tries *= own
        longest = max(longest, letters)
    return tries, longest


def _one(kind: str, argument: Any) -> tuple[int, int]:
    if kind in {"ANY", "IN", "NOT_LITERAL"}:
        return 1, 0
    if kind == "SUBPATTERN":
        _, added, removed, body = argument
        if (added | removed) & ~re.IGNORECASE:
            raise _RefusedError("of the flags only (?i) is taken")
        return _sequence(body)
    if kind == "BRANCH":
        weights = [_sequence(one) for one in argument[1]]
        return sum(tries for tries, _ in weights), min(letters for _, letters in weights)
    if kind in {"MAX_REPEAT", "MIN_REPEAT"}:
        return _repeat(*argument)
    raise _RefusedError("lookarounds, references to groups and atomic groups are not taken: write it without")


def _repeat(least: int, most: int, body: Any) -> tuple[int, int]:
    tries, letters = _sequence(body)
    kept = letters if least else 0
    if most <= 1:
        return (tries if least else tries + 1), kept
    if tries > 1:
        raise _RefusedError("a repeat or a choice stands within a repeat: write it without")
    if most > LONGEST_LINE and any(_crosses(str(op), argument) for op, argument in body):
        raise _RefusedError(r"a repeat without an upper bound could cross lines: give it one, such as \s{0,40}")
    return min(most, LONGEST_LINE) - least + 1 if most > least else 1, kept


def _crosses(kind: str, argument: Any) -> bool:
    """Whether a part of an expression can match the end of a line."""
    if kind == "LITERAL":
        return bool(argument == _NEWLINE)
    if kind == "NOT_LITERAL":
        return bool(argument != _NEWLINE)
    if kind == "IN":
        negated = str(argument[0][0]) == "NEGATE"
        return negated != any(_holds_newline(str(op), value) for op, value in argument)
    if kind == "SUBPATTERN":
        return any(_crosses(str(op), value) for op, value in argument[3])
    return False


def _holds_newline(kind: str, value: Any) -> bool:
    if kind == "RANGE":
        return bool(value[0] <= _NEWLINE <= value[1])
    return bool(value == _NEWLINE) if kind == "LITERAL" else str(value) in _WITH_NEWLINE
