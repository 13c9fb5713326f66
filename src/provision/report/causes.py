"""The known pitfalls that are shown below an error: a team's own first, and none that says what was said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.errors import KnownCause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.events import Failure

SHOWN = 2
"""Pitfalls that are told of one error."""
_WORD = re.compile(r"[\w./~:-]*\w")


class TeamCause(KnownCause):
    """A known pitfall out of a team's own file."""

    __slots__ = ()


def told_causes(error: Failure) -> Iterator[KnownCause]:
    """Yield the causes to show: a team's own first; what only repeats the message or its hint is left out."""
    said = _words(f"{error.message} {error.hint or ''}")
    ordered = sorted(error.known, key=lambda one: not isinstance(one, TeamCause))
    new = [one for one in ordered if _words(one.cause) - said and _words(" ".join(one.fix)) - said]
    yield from new[:SHOWN]


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
