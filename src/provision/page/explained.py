"""The pages of findings as blocks that a script can build without reading markup."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from provision.errors import UsageError
from provision.report.pages import LANGUAGES, explain

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_RULE = re.compile(r"[-:| ]+")


def explained(codes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what is written of each code that has a page, by code and language: a title and blocks."""
    found: dict[str, dict[str, Any]] = {}
    for code in sorted(set(codes)):
        try:
            pages = {language: explain(code, language) for language in LANGUAGES}
        except UsageError:
            continue
        if all(page.code == code for page in pages.values()):
            found[code] = {
                language: {"title": page.title, "blocks": blocks(page.text)} for language, page in pages.items()
            }
    return found


def blocks(text: str) -> list[list[Any]]:
    """Return Markdown as blocks; the heading of the page is left out.

    Of the kinds ``["h", text]``, ``["p", text]``, ``["code", text]``, ``["list", [text]]`` and ``["table", [[cell]]]``;
    code within a text keeps its backticks, of a link the words stay.
    """
    found: list[list[Any]] = []
    lines = iter(text.splitlines()[1:])
    for line in lines:
        if line.lstrip().startswith("```"):
            code = []
            for inner in lines:
                if inner.lstrip().startswith("```"):
                    break
                code.append(inner)
            found.append(["code", dedent("\n".join(code))])
        elif line.startswith("#"):
            found.append(["h", _plain(line.lstrip("# "))])
        elif line.startswith("|"):
            if _RULE.fullmatch(line):
                continue
            _grow(found, "table", [_plain(cell.strip()) for cell in line.strip().strip("|").split("|")])
        elif re.match(r"(?:[-*]|\d+\.) ", line):
            _grow(found, "list", _plain(re.sub(r"^(?:[-*]|\d+\.) ", "", line)))
        elif line.strip():
            _continue(found, line)
        else:
            found.append([""])
    return [one for one in found if one != [""]]


def _grow(found: list[list[Any]], kind: str, item: object) -> None:
    if found and found[-1][0] == kind:
        found[-1][1].append(item)
    else:
        found.append([kind, [item]])


def _continue(found: list[list[Any]], line: str) -> None:
    """Add a line to the paragraph or the item that it goes on with."""
    text = _plain(line.strip())
    last: list[Any] = found[-1] if found else [""]
    # Chinese is set without a space where the line was broken.
    if last[0] == "p":
        last[1] += _gap(last[1], text) + text
    elif last[0] == "list":
        last[1][-1] += _gap(last[1][-1], text) + text
    else:
        found.append(["p", text])


def _gap(before: str, after: str) -> str:
    return " " if before[-1:].isascii() or after[:1].isascii() else ""


def _plain(text: str) -> str:
    return _LINK.sub(r"\1", text).replace("**", "")
