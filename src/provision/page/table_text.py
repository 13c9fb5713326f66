"""The fleet as a table for the terminal, and as a page of Markdown."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from provision.report.display import one_line, shortened
from provision.report.markdown import code, prose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from provision.page.fleet import Fleet, HostNow
    from provision.report.style import Style

_HEADS = (
    "host",
    "cloud",
    "GPU",
    "driver",
    "CUDA",
    "environment",
    "generation",
    "verified (UTC)",
    "drift",
    "jobs",
    "verdict",
)
_DROPPED = ("generation", "cloud", "CUDA", "driver", "environment")
"""What a narrow terminal does without, the first of them first."""
_ORDER = ("unfit", "unproven", "unknown", "fit")
_NARROWEST = 24
_RUNS = 50
_HARMLESS = re.compile(r"-|[A-Za-z0-9][A-Za-z0-9 .:/()-]*")
MARK = "<!-- written by `provision report --markdown`: written over each time -->"
"""By which a page of ours is told from another file."""


def terminal_lines(fleet: Fleet, style: Style, width: int | None) -> Iterator[str]:
    """Yield the fleet's table, the worst host first; where a width is given the last column is cut to it."""
    if fleet.problem is not None:
        yield style.yellow(one_line(fleet.problem))
    if not fleet.hosts:
        return
    cells = [_HEADS, *_rows(fleet)]
    kept = [
        at for at, head in enumerate(_HEADS) if any(row[at] != "-" for row in cells[1:]) or head in {"host", "verdict"}
    ]
    widths = [max(len(row[at]) for row in cells) for at in range(len(_HEADS))]
    for head in _DROPPED:
        at = _HEADS.index(head)
        if width is not None and at in kept and sum(widths[one] + 2 for one in kept[:-1]) + _NARROWEST > width:
            kept.remove(at)
    room = None if width is None else max(_NARROWEST, width - sum(widths[one] + 2 for one in kept[:-1]))
    for number, row in enumerate(cells):
        last = row[kept[-1]] if room is None else shortened(row[kept[-1]], room)
        # Padded before it is coloured: the codes of a colour have no width.
        shown = last if not number else _coloured(last, style)
        yield "  ".join((*(row[at].ljust(widths[at]) for at in kept[:-1]), shown)).rstrip()


def markdown(fleet: Fleet) -> str:
    """Return the fleet as a page of Markdown; whatever hosts say stays text."""
    of = f" of {prose(fleet.project)}" if fleet.project is not None else ""
    lines = [MARK, "", f"# The fleet{of}", "", f"As of {_time(fleet.at)} UTC.", ""]
    if fleet.problem is not None:
        lines += [f"> {prose(fleet.problem)}", ""]
    lines += _table(_HEADS, ([code(one[0], cell=True), *map(_cell, one[1:])] for one in _rows(fleet)))
    found = [one for one in fleet.findings if one.open]
    if found:
        lines += ["## Findings that are open", ""]
        lines += _table(
            ("host", "code", "what", "what to do", "since (UTC)"),
            (
                (code(one.host, cell=True), _cell(one.code), _cell(one.title), _cell(one.fix or "-"), _time(one.first))
                for one in found
            ),
        )
    if fleet.runs:
        lines += ["## The last runs", ""]
        lines += _table(
            ("started (UTC)", "command", "hosts", "exit code"),
            (
                (
                    _time(one.started),
                    code(one.typed, cell=True),
                    str(len(one.hosts)),
                    "-" if one.exit_code is None else str(one.exit_code),
                )
                for one in fleet.runs[:_RUNS]
            ),
        )
    return "\n".join(lines)


def _rows(fleet: Fleet) -> list[tuple[str, ...]]:
    worst = {word: at for at, word in enumerate(_ORDER)}
    hosts = sorted(fleet.hosts, key=lambda one: (worst.get(one.word, len(_ORDER)), one.name))
    return [_cells(fleet, one) for one in hosts]


def _cells(fleet: Fleet, host: HostNow) -> tuple[str, ...]:
    texts = (host.name, host.cloud, host.gpus, host.driver, host.cuda, host.environment, host.generation)
    drift = "-" if host.drift is None else str(host.drift) if host.drift else "none"
    jobs = str(fleet.live_jobs(host.name) or "-")
    verdict = host.verdict or "unknown"
    return (*(one_line(one or "-") for one in texts), _time(host.verified), drift, jobs, one_line(verdict))


def _coloured(text: str, style: Style) -> str:
    if text.startswith("fit"):
        return style.green(text)
    return style.red(text) if text.startswith("unfit") else style.yellow(text)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    shown = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *shown, ""]


def _cell(text: str) -> str:
    # What has no letter that means something to Markdown stays as it is read best.
    return text if _HARMLESS.fullmatch(text) else prose(text, cell=True)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "-"
