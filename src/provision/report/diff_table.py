"""What differs between two environments, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.report.amounts import counted
from provision.report.diff_sides import Against
from provision.report.display import one_line, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.environment.drift import Change, Held
    from provision.report.diff_sides import Diff
    from provision.report.style import Style

NONE = "-"
_READ = 1000
"""Characters of a text that are looked at: a host wrote it."""
_MOST = 60
"""Characters of a cell."""
_TITLE = {Against.BUILD: "ITS BUILD", Against.LOCK: "ITS LOCK", Against.LOCAL: "HERE"}


def diff_lines(diff: Diff, style: Style) -> Iterator[str]:
    """Yield which two were compared, a row for each package that differs, and a line with their number."""
    yield style.bold(_sides(diff))
    if diff.equal:
        yield "  no difference"
        return
    since = dict(diff.since)
    rows = [_row(one, since) for one in diff.changes]
    if rows:
        there = _TITLE.get(diff.against) or _cell(diff.other).upper()
        head = ("BY", "PACKAGE", _cell(diff.host).upper(), there, "SINCE" if since else "")
        widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
        yield "  " + style.dim(_line(head, widths))
        for row, change in zip(rows, diff.changes, strict=True):
            line = _line(row, widths)
            yield "  " + (style.green(line) if change.was is None else style.red(line) if change.now is None else line)
    for one in diff.damage:
        example = f", such as {_cell(one.example)}" if one.example else ""
        text = f"{_cell(one.name)} {_cell(one.version)} lacks {one.missing} of its {one.files} files{example}"
        yield "  " + style.red(text)
    yield "  " + _count(diff)


def _sides(diff: Diff) -> str:
    first = f"{_cell(diff.host)}: {_cell(diff.environment)} {_cell(diff.generation)}"
    if diff.against is Against.HOST:
        return f"{first}, against {_cell(diff.other)}: {_cell(diff.environment)} {_cell(diff.other_generation or '')}"
    if diff.against is Against.BUILD:
        return f"{first}, against what its build left"
    return f"{first}, against {_cell(diff.other)}"


def _row(change: Change, since: dict[str, str]) -> tuple[str, ...]:
    now, was = (_version(one) for one in (change.now, change.was))
    return change.held.by, _cell(change.held.name), now, was, since.get(change.held.name, "")


def _version(one: Held | None) -> str:
    return NONE if one is None else _cell(one.shown)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _count(diff: Diff) -> str:
    kinds = [one.kind for one in diff.changes]
    where = "only there" if diff.against is not Against.BUILD else "removed"
    here = f"only on {_cell(diff.host)}" if diff.against is not Against.BUILD else "added"
    parts = [
        f"{kinds.count(kind)} {text}"
        for kind, text in (("added", here), ("removed", where), ("changed", "different"))
        if kind in kinds
    ]
    if diff.damage:
        parts.append(f"{counted(len(diff.damage), 'package')} with files missing")
    return ", ".join(parts)


def _cell(text: str) -> str:
    return shortened(one_line(text[:_READ])[:_READ], _MOST)
