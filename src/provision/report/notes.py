"""What was met, as pages of Markdown for a team: one for each code, and an index; what people add to them stays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.report.entries import PITFALL, Met, Sighting, Solved, as_json, entry_of, is_code, merged
from provision.report.notes_page import index_text, page_text
from provision.report.pages import known_codes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

INDEX = "README.md"
BEGIN, END = "<!-- notes: begin -->", "<!-- notes: end -->"
_HEAD, _TAIL = "<!-- provision report: ", " -->"
_RECORDS, _RECORDS_END = "<!-- met:", "-->"
_INVITATION = "What you write in this file below the line `notes: begin` stays when the page is made anew."
_MOST_TIMES = 10**9


@dataclass(frozen=True, slots=True)
class Written:
    """A page of ours as it stands in the folder."""

    subject: str
    """Its code; for the index `README`."""
    records: tuple[Sighting, ...]
    own: str
    """The page from the first mark on: what people wrote between the marks, and behind them."""


def file_name(code: str, kind: str) -> str:
    """Return the name of a code's page, one that no other page has where `A` and `a` are the same file."""
    taken = {"readme", *(one.casefold() for one in known_codes())} if kind == PITFALL else {"readme"}
    return f"{code}--{kind}.md" if code.casefold() in taken else f"{code}.md"


def pages(own: Sequence[Sighting], standing: Mapping[str, str | None], folder: str) -> dict[str, str]:
    """Return the pages to write, by the names of their files.

    Args:
        own: What this machine remembers. What the pages remember from other machines is kept beside it.
        standing: Every file ``*.md`` of the folder with its text; ``None`` where it is no readable text.
        folder: How to call the folder in an error.

    Raises:
        UsageError: a page would be written over a file that is not ours, or whose marks are gone.
    """
    ours = {name: page for name, text in standing.items() if text is not None and (page := _parse(text)) is not None}
    remembered = [one for page in ours.values() for one in page.records if one.met.code == page.subject]
    found: dict[str, list[Sighting]] = {}
    for one in merged(own, remembered):
        found.setdefault(one.met.code, []).append(one)
    wanted = {one.met.code for one in own}
    names = {code: file_name(code, every[0].met.kind) for code, every in found.items()}
    result = {}
    for code, every in found.items():
        if code in wanted:
            name = names[code]
            kept = _kept(name, code, ours, standing, folder)
            result[name] = _framed(code, page_text(every), kept, every)
    kept = _kept(INDEX, "README", ours, standing, folder)
    result[INDEX] = _framed("README", index_text(list(found.values()), names), kept, ())
    return result


def _kept(name: str, subject: str, ours: Mapping[str, Written], standing: Mapping[str, str | None], folder: str) -> str:
    """Return what people wrote on a page that is to be made anew."""
    if name not in standing:
        return f"{BEGIN}\n{END}\n"
    page = ours.get(name)
    if page is None or page.subject != subject:
        text = standing[name] or ""
        if text.startswith(f"{_HEAD}{subject}{_TAIL}\n"):
            raise UsageError(
                f"{folder}/{name}: its lines '{BEGIN}' and '{END}' are gone, so that nothing is written over it",
                hint="put them back around what you wrote there; without such text remove the file",
            )
        raise UsageError(
            f"{folder}/{name}: not written by `provision report`, and left as it is",
            hint="name another folder, or move the file away",
        )
    return page.own


def _parse(text: str) -> Written | None:
    """Return what stands on a page of ours; ``None`` for any other text, and where the marks are gone."""
    lines = text.split("\n")
    subject = lines[0].strip().removeprefix(_HEAD).removesuffix(_TAIL)
    if lines[0].strip() != f"{_HEAD}{subject}{_TAIL}" or not (subject == "README" or is_code(subject)):
        return None
    marks = [line.rstrip() for line in lines]
    if BEGIN not in marks or END not in marks:
        return None
    begin, end = marks.index(BEGIN), len(marks) - 1 - marks[::-1].index(END)
    if end < begin:
        return None
    return Written(subject, tuple(_records(marks[:begin])), "\n".join(lines[begin:]))


def _framed(subject: str, body: list[str], own: str, records: Iterable[Sighting]) -> str:
    """Return a whole page: our mark, the body, the team's own text, and what the next run must know of it."""
    remembered = [_record(one) for one in records]
    block = [_RECORDS, *remembered, _RECORDS_END, ""] if remembered else []
    head = [f"{_HEAD}{subject}{_TAIL}", "", *body, *block, "## Our notes", "", _INVITATION, ""]
    return "\n".join(head) + f"\n{own}"


def _record(one: Sighting) -> str:
    value = {
        "first": one.first,
        "times": one.times,
        "met": as_json(one.met),
        "solved": as_json(one.solved) if one.solved else None,
    }
    # Nothing in it can end the comment that it stands in.
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e")


def _records(lines: list[str]) -> Iterator[Sighting]:
    if _RECORDS not in lines:
        return
    for line in lines[len(lines) - lines[::-1].index(_RECORDS) :]:
        if line == _RECORDS_END:
            return
        try:
            value = json.loads(line)
            met, solved = entry_of(value["met"]), entry_of(value["solved"])
            # The date is checked as that of an entry is.
            first = entry_of({**value["met"], "at": value["first"]})
            times = min(_MOST_TIMES, max(1, int(value["times"])))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if isinstance(met, Met) and isinstance(first, Met):
            yield Sighting(met, first.at, times, solved if isinstance(solved, Solved) else None)
