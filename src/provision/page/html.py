"""The report as one HTML file: nothing is fetched, and nothing but its own script and style is obeyed."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.page.document import document, script_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.page.fleet import Fleet
    from provision.page.plots import Plot

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("build.js", "table.js", "fleet.js", "host.js", "events.js", "start.js")
"""In the order in which they are joined into one."""
MARK = '<meta name="generator" content="provision report">'
"""By which a page of ours is told from another file."""


def page(fleet: Fleet, plots: Sequence[Plot] = (), *, live: bool = False) -> str:
    """Return the page; a live one asks its server for news."""
    style, script = style_and_script()
    figures = "".join(
        f'<figure id="plot-{number}" hidden aria-labelledby="caption-{number}">'
        f'<figcaption id="caption-{number}"></figcaption>{one.svg}</figure>'
        for number, one in enumerate(plots)
    )
    data: dict[str, Any] = {**document(fleet, plots), "live": live}
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{MARK}\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy(live=live))}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="data:,">\n<title>provision</title>\n<style>{style}</style>\n</head>\n<body>\n'
        '<a class="skip" id="skip" href="#main"></a>\n<header id="header"></header>\n<main id="main" tabindex="-1">'
        "<noscript>This page needs JavaScript; `provision report --markdown` writes one that does not."
        f'</noscript></main>\n<div id="figures" hidden>{figures}</div>\n'
        f'<script type="application/json" id="data">{script_json(data)}</script>\n<script>{script}</script>\n'
        "</body>\n</html>\n"
    )


@lru_cache
def style_and_script() -> tuple[str, str]:
    """Return the page's style and script."""
    style = (ASSETS / "page.css").read_text(encoding="utf-8")
    body = "".join((ASSETS / one).read_text(encoding="utf-8") for one in SCRIPTS)
    return style, f'(() => {{\n"use strict";\n{body}}})();\n'


def policy(*, live: bool) -> str:
    """Return the Content-Security-Policy: only the script and the style with these digests."""
    style, script = style_and_script()
    parts = [
        "default-src 'none'",
        f"script-src {_digest(script)}",
        f"style-src {_digest(style)}",
        # The empty icon.
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    if live:
        parts.append("connect-src 'self'")
    return "; ".join(parts)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
