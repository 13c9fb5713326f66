"""`verify --explain`: what is written of a finding's code, or of a known pitfall's id."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from provision.decode.near import suggestion
from provision.errors import UsageError
from provision.report.display import one_line, visible
from provision.report.markdown import fence
from provision.report.pages import Page, chosen_language, explain, known_codes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from provision.pitfalls import Pitfall

_SHOWN = 60


def main(asked: argparse.Namespace) -> int:
    """Print the page; no host is asked."""
    page = _page(asked.explain, asked.language or chosen_language(os.environ), asked.inventory)
    if asked.json:
        shown = {"code": page.code, "title": page.title, "why": page.why, "text": page.text.rstrip()}
        print(json.dumps(shown, indent=2))
    else:
        print(page.text.rstrip())
    return 0


def _page(typed: str, language: str, inventory: str | None) -> Page:
    word = typed.strip()
    if not word:
        raise UsageError(
            "--explain needs the code of a finding, or the id of a known pitfall",
            hint="provision verify --explain GPU-XID",
        )
    if word.upper().replace("_", "-") in known_codes() and word != word.lower():
        return explain(word, language)
    pitfalls = {one.id: one for one in _pitfalls(inventory)}
    pitfall = pitfalls.get(word.lower())
    try:
        page = explain(word, language)
    except UsageError:
        if pitfall is not None:
            return _page_of(pitfall)
        # Findings are written in capitals, pitfalls in small letters.
        near = suggestion(word, pitfalls) if word == word.lower() else ""
        if not near:
            raise
        raise UsageError(f"there is no known pitfall '{visible(word[:_SHOWN])}'{near}") from None
    if pitfall is None:
        return page
    # A few have the same name as a finding: whoever typed it in small letters may mean either.
    return Page(page.code, page.title, page.why, f"{page.text.rstrip()}\n\n{_page_of(pitfall).text}")


def _pitfalls(inventory: str | None) -> tuple[Pitfall, ...]:
    from provision.cli.known_causes import all_known
    from provision.inventory import find_inventory
    from provision.project import find_root

    here = Path.cwd()
    return all_known(find_inventory(here, inventory, os.environ, find_root(here)))


def _page_of(pitfall: Pitfall) -> Page:
    cause = one_line(pitfall.cause)
    source = f"\n\nSource: {one_line(pitfall.source)}" if pitfall.source else ""
    text = f"# {pitfall.id}\n\n{cause}\n\n## What to do\n\n{_fix(pitfall.fix)}{source}"
    return Page(pitfall.id, cause, cause, text)


def _fix(lines: Iterable[str]) -> str:
    parts = ["\n".join(fence([line[2:]], "sh")) if line.startswith("$ ") else f"- {one_line(line)}" for line in lines]
    return "\n\n".join(parts)
