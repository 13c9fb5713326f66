"""One known pitfall, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pitfall:
    """How a pitfall shows itself in output, why it happens, and what to do."""

    id: str
    signatures: tuple[str, ...]
    """Regular expressions; one that is found in the output is enough. ``^`` and ``$`` are the ends of a line."""
    cause: str
    """Why it happens, in one sentence."""
    fix: tuple[str, ...]
    """What to do, a line each; one that begins with ``$ `` is a command to type."""
    source: str | None = None
    """Where the text was met and explained: a repository with its issue, or a page."""
    also: str | None = None
    """A regular expression that must be found too, in the output or in the name of the step that failed."""
    before: tuple[str, ...] = ()
    """Pitfalls that are left out where this one is met: it explains the same lines better."""
    sample: str | None = None
    """An output that has it."""
