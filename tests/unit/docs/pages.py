"""The pages of the documentation, and what stands in them."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
REFERENCE = REPOSITORY / "docs" / "reference"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Return every page, the READMEs first."""
    return [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]


def name(page: Path) -> str:
    """Return a page's path below the repository."""
    return str(page.relative_to(REPOSITORY))


def blocks(page: Path, language: str | None = None) -> list[str]:
    """Return the texts of a page's fenced blocks, of one language or all."""
    found = _FENCE.findall(page.read_text("utf-8"))
    return [text for kind, text in found if language in (None, kind)]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def headings(page: Path) -> list[tuple[int, str]]:
    """Return (level, text) of each heading."""
    return [(len(marks), text.strip()) for marks, text in _HEADING.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for _, text in headings(page)}


def links(page: Path) -> list[str]:
    """Return the targets of a page's links that lead to files of the repository."""
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    return [one for one in _LINK.findall(text) if "://" not in one and not one.startswith("mailto:")]


def first_cells(page: Path, below: str = "") -> set[str]:
    """Return the names in the first cell of each table row, of the whole page or below one heading."""
    text = prose(page).partition(f"\n## {below}\n")[2].partition("\n## ")[0] if below else prose(page)
    rows = re.findall(r"^\| *([^|]+?) *\|", text, re.MULTILINE)
    return {name.strip("`") for one in rows for name in one.split(", ")}
