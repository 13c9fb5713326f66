"""Text from hosts in Markdown: it stays text, whatever it looks like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a renderer would make a link of by itself is shown as code, where nothing is made of anything.
_WHOLE = re.compile(r"(`[^`]+`|\S*@\S*|\S*://\S*|\bwww\.\S*)", re.IGNORECASE)
_MEANS = re.compile(r"([\\`*_{}\[\]<>#|~&!=+$])")
_FIRST = re.compile(r"^(\s*\d*)([-.)])")
_TICKS = re.compile(r"`+")


def prose(text: str, *, cell: bool = False) -> str:
    """Return a text for a sentence: only code between backticks keeps its meaning."""
    parts = _WHOLE.split(one_line(text))
    shown = [
        code(part.strip("`"), cell=cell) if at % 2 and part.strip("`") else _plain(part)
        for at, part in enumerate(parts)
    ]
    # Two pieces of code side by side would be read as one, that ends elsewhere.
    return "".join(one or (" " if 0 < at < len(shown) - 1 else "") for at, one in enumerate(shown))


def code(text: str, *, cell: bool = False) -> str:
    """Return a text as code within a sentence; in a table's cell a bar must not end the cell."""
    shown = one_line(text).strip() or "-"
    if cell:
        shown = shown.replace("|", "\\|")
    ticks = "`" * (max((len(one) for one in _TICKS.findall(shown)), default=0) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{space}{shown}{space}{ticks}"


def fence(lines: Iterable[str], language: str = "text") -> list[str]:
    """Return lines as a block of code that nothing in them can end."""
    # A line that begins so could be taken for one of our own marks.
    shown = [f" {one}" if one.startswith("<!--") else one for one in map(one_line, lines)]
    longest = max((len(found) for one in shown for found in _TICKS.findall(one)), default=0)
    ticks = "`" * max(3, longest + 1)
    return [f"{ticks}{language}", *shown, ticks]


def _plain(text: str) -> str:
    # A dash or a number begins a list only at the beginning of a line.
    return _FIRST.sub(r"\1\\\2", _MEANS.sub(r"\\\1", text))
