"""What stands in a pitfalls.yaml, the shipped one and a team's own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

from provision.decode import Rule, printable
from provision.decode.checks import one_line
from provision.pitfalls.pattern import pattern

_ID = "[a-z0-9]+(-[a-z0-9]+)*"
_LONGEST_ID = 60
_LONGEST_TEXT = 300


def pitfall_id(value: str) -> str:
    """Return a pitfall's id; raises `ValueError`."""
    if len(value) > _LONGEST_ID or not re.fullmatch(_ID, value):
        raise ValueError(f"'{printable(value)}' is not an id, expected words of a-z and 0-9 with '-' between them")
    return value


def sentence(value: str) -> str:
    """Return a text of one line that says something and is not endless; raises `ValueError`."""
    if not one_line(value).strip():
        raise ValueError("empty, expected a line of text")
    if len(value) > _LONGEST_TEXT:
        raise ValueError(f"longer than {_LONGEST_TEXT} characters, expected one line")
    return value.strip()


def _several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) else value
    if not found:
        raise ValueError("an empty list, expected at least one line")
    return found


_IDENTITY = Rule(pitfall_id, {"pattern": f"^{_ID}$"})
_PATTERN = Rule(pattern)
_SENTENCE = Rule(sentence)
_SEVERAL = Rule(_several)


@dataclass(frozen=True, slots=True)
class PitfallEntry:
    """How a pitfall shows itself in output, why it happens, and what to do."""

    signatures: Annotated[
        Annotated[str, _PATTERN] | tuple[Annotated[str, _PATTERN], ...],
        _SEVERAL,
        "regular expression (or list of them) that the output of a failed step is searched for, line by line",
    ]
    cause: Annotated[str, _SENTENCE, "why it happens, in one sentence"]
    fix: Annotated[
        Annotated[str, _SENTENCE] | tuple[Annotated[str, _SENTENCE], ...],
        _SEVERAL,
        "what to do, a line each; a line that begins with '$ ' is a command",
    ]
    source: Annotated[str | None, _SENTENCE, "where it is described"] = None
    also: Annotated[
        str | None, _PATTERN, "regular expression that must be found too, in the output or in the step's name"
    ] = None
    before: Annotated[
        tuple[Annotated[str, _IDENTITY], ...], "pitfalls that are left out where this one is met: it explains more"
    ] = ()
    sample: Annotated[str | None, "an output that has it; a file whose sample does not match is refused"] = None


@dataclass(frozen=True, slots=True)
class PitfallsFile:
    """Pitfalls that a team knows, besides the shipped ones."""

    version: Annotated[Literal[1], "format of this file"]
    pitfalls: Annotated[
        dict[Annotated[str, _IDENTITY], PitfallEntry],
        "pitfalls by id, the specific ones first; one with the id of a shipped pitfall replaces it",
    ] = field(default_factory=dict)
