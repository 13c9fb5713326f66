"""The plots, drawn by matplotlib as SVG that belongs to the page: its colours and fonts are the page's own."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any

from provision.page.numbers import BARS, HOSTS_DRAWN, LINES, SPANS, STACK, by_series, numbers
from provision.page.svg import COLOURS, FRONT, LINE, inlined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.page.fleet import Fleet
    from provision.page.numbers import Numbers

_WIDE, _NARROW = (9.0, 3.2), (9.0, 2.6)
_TICKS = 12
_OUTCOMES = {"changed": 0, "drift": 1, "converged": 2, "failed": 4, "unfit": 3, "unreachable": 7}
"""Colours that mean something; others take what their place gives them."""
_UNITS = {"gpu": "h", "outcomes": ""}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "provision",
    # Names of hosts are no formulas.
    "text.parse_math": False,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": FRONT,
    "ytick.labelcolor": FRONT,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "path.simplify": True,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """One table, and its drawing."""

    key: str
    host: str | None
    head: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    svg: str
    """Empty where matplotlib is not installed."""


def plots(fleet: Fleet, *, hosts: int = HOSTS_DRAWN, draw: bool = True) -> list[Plot]:
    """Return the plots of a fleet; without drawings where none are asked for, or matplotlib is not there.

    Args:
        fleet: What is drawn.
        hosts: How many hosts have plots of their own.
        draw: False: the numbers alone, which costs next to nothing.
    """
    tables = numbers(fleet, hosts)
    library = _library() if draw and tables else None
    drawings = [_drawn(library, one, f"d{at}") if library is not None else "" for at, one in enumerate(tables)]
    return [Plot(one.key, one.host, one.head, one.rows, svg) for one, svg in zip(tables, drawings, strict=True)]


def _library() -> Any:
    try:
        return import_module("matplotlib"), import_module("matplotlib.figure")
    except ImportError:
        return None


def _drawn(library: Any, table: Numbers, key: str) -> str:
    matplotlib, figures = library
    with warnings.catch_warnings(), matplotlib.rc_context(_STYLE):
        # Which glyphs matplotlib's own font lacks is no matter: the browser sets the words.
        warnings.simplefilter("ignore")
        lying = table.kind in {STACK, SPANS}
        places = len({row[0] for row in table.rows})
        size = (9.0, 1.2 + 0.3 * places) if lying else (_WIDE if table.host is None else _NARROW)
        figure = figures.Figure(figsize=size, layout="constrained")
        _DRAW[table.kind](figure.add_subplot(), table)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return inlined(text.getvalue(), key)


def _bars(axes: Any, table: Numbers) -> None:
    at = list(range(len(table.rows)))
    below = [0.0] * len(at)
    own = _OUTCOMES if table.key == "outcomes" else {}
    for number, (name, values) in enumerate(by_series(table)):
        colour = COLOURS[own.get(name, number) % len(COLOURS)]
        axes.bar(at, values, 0.8, bottom=below, label=name, color=colour, linewidth=0)
        below = [one + more for one, more in zip(below, values, strict=True)]
    _ticked(axes, [str(row[0]).rstrip() for row in table.rows])
    axes.grid(visible=False, axis="x")
    axes.set_ylabel(_UNITS.get(table.key, "s"))
    _legend(axes)


def _stack(axes: Any, table: Numbers) -> None:
    at = list(range(len(table.rows)))
    left = [0.0] * len(at)
    for number, (name, values) in enumerate(by_series(table)):
        axes.barh(at, values, 0.7, left=left, label=name, color=COLOURS[number % len(COLOURS)], linewidth=0)
        left = [one + more for one, more in zip(left, values, strict=True)]
    axes.set_yticks(at, [str(row[0]) for row in table.rows])
    axes.set_ylim(len(at) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("s")
    _legend(axes)


def _lines(axes: Any, table: Numbers) -> None:
    for at, name in enumerate(table.head[1:], 1):
        seen = [(place, row[at]) for place, row in enumerate(table.rows) if row[at] is not None]
        colour = COLOURS[(at - 1) % len(COLOURS)]
        axes.plot(
            *zip(*seen, strict=True),
            label=name,
            color=colour,
            marker="o",
            markersize=3.5,
            markeredgewidth=0,
            linewidth=1.5,
        )
    axes.set_ylim(bottom=0)
    _ticked(axes, [str(row[0]) for row in table.rows])
    axes.set_ylabel("s")
    _legend(axes)


def _spans(axes: Any, table: Numbers) -> None:
    gpus = sorted({str(row[0]) for row in table.rows}, key=lambda one: (len(one), one))
    names = list(dict.fromkeys(str(row[1]) for row in table.rows))
    hours = [datetime.fromisoformat(str(row[2])).replace(tzinfo=timezone.utc).timestamp() / 3600 for row in table.rows]
    first = min(hours)
    for row, begin in zip(table.rows, hours, strict=True):
        colour = COLOURS[names.index(str(row[1])) % len(COLOURS)]
        axes.barh(gpus.index(str(row[0])), float(row[3] or 0.0), 0.6, left=begin - first, color=colour, linewidth=0)
    axes.set_yticks(range(len(gpus)), gpus)
    axes.invert_yaxis()
    end = max(begin - first + float(row[3] or 0.0) for row, begin in zip(table.rows, hours, strict=True))
    step = max(1, math.ceil(max(end, 1.0) / 8))
    ticks = list(range(0, math.ceil(end) + 1, step))
    axes.set_xticks(
        ticks, [f"{datetime.fromtimestamp((first + one) * 3600, timezone.utc):%m-%d %H:%M}" for one in ticks]
    )
    axes.grid(visible=False, axis="y")


def _ticked(axes: Any, places: Sequence[str]) -> None:
    step = max(1, math.ceil(len(places) / _TICKS))
    shown = range(0, len(places), step)
    # The year stands in the table of the numbers.
    axes.set_xticks(list(shown), [places[at][5:] for at in shown])
    axes.margins(x=0.02)


def _legend(axes: Any) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.5)


_DRAW = {BARS: _bars, STACK: _stack, LINES: _lines, SPANS: _spans}
