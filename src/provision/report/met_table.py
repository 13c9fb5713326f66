"""What was met, as a short table for the terminal: what is open first, then what was met last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.report.display import one_line, shortened
from provision.report.findings import names_shown
from provision.report.notes_page import title

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from provision.report.entries import Sighting
    from provision.report.style import Style

_HEADS = ("now", "code", "host", "last met (UTC)", "what it is")
_NARROWEST = 24


def table_lines(every: Iterable[Sighting], style: Style, width: int | None) -> Iterator[str]:
    """Yield the table; where a width is given the last column is cut to it."""
    groups: dict[tuple[str, bool], list[Sighting]] = {}
    for one in every:
        groups.setdefault((one.met.code, one.solved is not None), []).append(one)
    rows = sorted(groups.values(), key=_last, reverse=True)
    rows.sort(key=lambda group: group[0].solved is not None)
    cells = [_HEADS, *map(_cells, rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(_HEADS) - 1)]
    room = None if width is None else max(_NARROWEST, width - sum(widths) - 2 * len(widths))
    for number, line in enumerate(cells):
        *parts, text = line
        now, *others = (cell.ljust(size) for cell, size in zip(parts, widths, strict=True))
        # Padded before it is coloured: the codes of a colour have no width.
        coloured = now if not number else style.yellow(now) if line[0] == "open" else style.green(now)
        yield "  ".join((coloured, *others, text if room is None else shortened(text, room))).rstrip()


def _cells(group: Sequence[Sighting]) -> tuple[str, ...]:
    met = group[-1].met
    return (
        "solved" if group[0].solved else "open",
        met.code,
        names_shown(list(dict.fromkeys(one.met.host for one in group))),
        _last(group)[:16].replace("T", " "),
        one_line(title(met)),
    )


def _last(group: Sequence[Sighting]) -> str:
    return max(one.met.at for one in group)
