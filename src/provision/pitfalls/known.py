"""The pitfalls that are known: the shipped ones, and those of a team's pitfalls.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from provision.decode.document import parse, read_bytes, shown_path
from provision.decode.near import suggestion
from provision.pitfalls.matching import match
from provision.pitfalls.pitfall import Pitfall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.decode import Document
    from provision.pitfalls.schema import PitfallEntry

FILE_NAME = "pitfalls.yaml"
_SHIPPED = Path(__file__).with_name(FILE_NAME)


def known(team: Path | None = None) -> tuple[Pitfall, ...]:
    """Return all known pitfalls, the team's own first; one of theirs with a shipped id takes that one's place.

    Args:
        team: Their pitfalls.yaml, as `team_file` finds it.

    Raises:
        BadFileError: their file cannot be taken.
    """
    if team is None:
        return shipped()
    own = {one.id: one for one in read(read_bytes(team), shown_path(team), shipped())}
    standing = {one.id for one in shipped()}
    return (
        *(one for one in own.values() if one.id not in standing),
        *(own.get(one.id, one) for one in shipped()),
    )


@cache
def shipped() -> tuple[Pitfall, ...]:
    """Return the pitfalls that provision knows by itself."""
    return read(_SHIPPED.read_bytes(), FILE_NAME)


def team_file(inventory: Path | None) -> Path | None:
    """Return the pitfalls.yaml beside an inventory's file, or ``None`` where there is none."""
    if inventory is None:
        return None
    path = inventory.absolute().parent / FILE_NAME
    return path if path.exists() else None


def read(data: bytes, source: str, standing: Sequence[Pitfall] = ()) -> tuple[Pitfall, ...]:
    """Return the pitfalls of one file, in its order; ``standing`` are those that ``before`` may name besides.

    Raises:
        BadFileError: the file cannot be taken; the message begins with ``source:line``.
    """
    # The types are built by the decoder's annotations: not before there is a file to decode.
    from provision.pitfalls.schema import PitfallsFile

    document = parse(data, source)
    file = document.decode(PitfallsFile)
    found = tuple(_pitfall(name, entry) for name, entry in file.pitfalls.items())
    _check(document, found, standing)
    return found


def _pitfall(name: str, entry: PitfallEntry) -> Pitfall:
    return Pitfall(
        id=name,
        signatures=tuple(entry.signatures),
        cause=entry.cause,
        fix=tuple(entry.fix),
        source=entry.source,
        also=entry.also,
        before=entry.before,
        sample=entry.sample,
    )


def _check(document: Document, found: Sequence[Pitfall], standing: Sequence[Pitfall]) -> None:
    every = {one.id: one for one in (*standing, *found)}
    for one in found:
        for position, below in enumerate(one.before):
            place = ("pitfalls", one.id, "before", position)
            if below not in every:
                document.problem(place, f"'{below}' is no known pitfall{suggestion(below, every)}")
            elif one.id in _below(every[below], every):
                document.problem(place, f"'{below}' stands before '{one.id}' too: remove one of the two")
        if one.sample is not None and not match(one.sample, (one,)):
            document.problem(("pitfalls", one.id, "sample"), "no signature (with 'also') is found in it")
    document.check()


def _below(pitfall: Pitfall, every: dict[str, Pitfall]) -> set[str]:
    """Return a pitfall's id and those of all that it stands before, however far below."""
    seen: set[str] = set()
    waiting = [pitfall.id]
    while waiting:
        name = waiting.pop()
        if name in every and name not in seen:
            seen.add(name)
            waiting.extend(every[name].before)
    return seen
