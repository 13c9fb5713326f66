"""What was met on hosts as entries of a file, and those put together: what is open, what was solved, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PITFALL, FINDING, SOLVED = "pitfall", "finding", "solved"
LONGEST_TEXT = 600
"""Characters of one text in an entry; what is longer is cut."""
_MOST_LINES = 40
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_CODES = {
    # A code becomes the name of a file: nothing else is ever taken from an entry.
    PITFALL: re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*"),
    FINDING: re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*"),
}
_LONGEST_CODE = 60
_SEVERITIES = ("error", "warning")


@dataclass(frozen=True, slots=True)
class Met:
    """One code that a run met on one host."""

    at: str
    """UTC, as in 2026-01-31T08:00:00Z."""
    project: str
    host: str
    command: str
    """`up`, `plan` or `verify`."""
    kind: str
    """`pitfall` or `finding`."""
    code: str
    severity: str
    message: str
    """The line that showed the pitfall, or what the finding says; it comes from the host: show it escaped."""
    cause: str | None
    """Why it happens; ``None`` for findings, which have pages."""
    fix: tuple[str, ...]
    """What to do, a line each; one that begins with ``$ `` is a command to type."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A run that ended well on a host where something was open."""

    at: str
    project: str
    host: str
    command: str
    codes: tuple[str, ...]
    """What was open there, and was not met again."""
    steps: tuple[str, ...]
    """Names of the steps that changed the host in that run."""


Entry: TypeAlias = "Met | Solved"
Key: TypeAlias = "tuple[str, str, str]"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One code on one host, over all runs that met it."""

    met: Met
    """The last time."""
    first: str
    """When it was met first."""
    times: int
    solved: Solved | None = None
    """The run that ended well since it was met last; ``None``: it is open."""

    @property
    def key(self) -> Key:
        """What it is about: project, host and code."""
        return self.met.project, self.met.host, self.met.code


def sightings(entries: Iterable[Entry]) -> list[Sighting]:
    """Return what the entries, the oldest first, say of each host and code, in the order in which it was met first."""
    found: dict[Key, Sighting] = {}
    for entry in entries:
        if isinstance(entry, Met):
            one = Sighting(entry, entry.at, 1)
            before = found.get(one.key)
            found[one.key] = replace(one, first=before.first, times=before.times + 1) if before else one
            continue
        for code in entry.codes:
            key = (entry.project, entry.host, code)
            if key in found and found[key].solved is None:
                found[key] = replace(found[key], solved=replace(entry, codes=(code,)))
    return list(found.values())


def merged(own: Iterable[Sighting], others: Iterable[Sighting]) -> list[Sighting]:
    """Return both together: of the same code on the same host, what happened last counts."""
    found = {one.key: one for one in others}
    for one in own:
        other = found.get(one.key, one)
        # In the same second ours is right: it knows the order.
        last = max(one, other, key=lambda each: (each.solved.at if each.solved else each.met.at, each.met.at))
        found[one.key] = replace(last, first=min(one.first, other.first), times=max(one.times, other.times))
    return sorted(found.values(), key=lambda one: (one.first, one.key))


def as_json(entry: Entry) -> dict[str, Any]:
    """Return an entry as plain values for `json.dumps`."""
    if isinstance(entry, Met):
        return {
            **{key: getattr(entry, key) for key in ("at", "project", "host", "command", "kind", "code", "severity")},
            "message": entry.message,
            "cause": entry.cause,
            "fix": list(entry.fix),
        }
    return {
        **{key: getattr(entry, key) for key in ("at", "project", "host", "command")},
        "kind": SOLVED,
        "codes": list(entry.codes),
        "steps": list(entry.steps),
    }


def entry_of(value: Any) -> Entry | None:
    """Return the entry that a JSON value is, or ``None`` where it is none: whoever wrote it."""
    try:
        at, project, host, command, kind = (_text(value[key]) for key in ("at", "project", "host", "command", "kind"))
        if not _AT.fullmatch(at):
            return None
        if kind == SOLVED:
            codes = tuple(one for one in _lines(value["codes"]) if is_code(one))
            return Solved(at, project, host, command, codes, _lines(value["steps"]))
        code, severity, message = (_text(value[key]) for key in ("code", "severity", "message"))
        cause = None if value["cause"] is None else _text(value["cause"])
        if kind not in _CODES or not is_code(code, kind) or severity not in _SEVERITIES:
            return None
        return Met(at, project, host, command, kind, code, severity, message, cause, _lines(value["fix"]))
    except (KeyError, TypeError):
        return None


def is_code(text: str, kind: str | None = None) -> bool:
    """Return whether a text is a code, of one kind or of any."""
    patterns = _CODES.values() if kind is None else (_CODES[kind],)
    return len(text) <= _LONGEST_CODE and any(one.fullmatch(text) for one in patterns)


def lines_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Return as many texts as an entry holds, each as long as it may be there."""
    return tuple(one[:LONGEST_TEXT] for one in texts[:_MOST_LINES])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value[:LONGEST_TEXT]


def _lines(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return lines_of([_text(one) for one in value[:_MOST_LINES]])
