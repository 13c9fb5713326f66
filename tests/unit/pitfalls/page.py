"""The reference page of the shipped pitfalls, made from the data."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from provision.pitfalls import evidence
from tests.unit.docs.pages import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.pitfalls import Pitfall

PAGE = REFERENCE / "pitfalls.md"
MARK = "<!-- What follows is made from src/provision/pitfalls/pitfalls.yaml. -->\n"
AREAS = {
    "gpu": "Driver and cards",
    "cuda": "CUDA and its libraries",
    "torch": "torch, and what is built for it",
    "nccl": "Several cards, several machines",
    "hub": "Models from the hub",
    "conda": "conda",
    "pip": "pip",
    "apt": "apt",
    "yum": "yum",
    "disk": "Disks",
    "net": "Network",
    "host": "The host",
}
"""Headings by the first word of an id."""
_GITHUB = re.compile(r"github\.com/([\w.-]+/[\w.-]+) (issue|pull request) ([0-9]+)")


def area(pitfall: Pitfall) -> str:
    """Return the first word of a pitfall's id."""
    return pitfall.id.partition("-")[0]


def page_with(pitfalls: Sequence[Pitfall], page: str) -> str:
    """Return the page with the part below its mark made anew."""
    return page[: page.index(MARK) + len(MARK)] + "".join(_sections(pitfalls))


def _sections(pitfalls: Sequence[Pitfall]) -> Iterator[str]:
    for word, title in AREAS.items():
        yield f"\n## {title}\n"
        for one in pitfalls:
            if area(one) == word:
                yield _section(one)


def _section(pitfall: Pitfall) -> str:
    cause = pitfall.cause[0].upper() + pitfall.cause[1:]
    seen = evidence(pitfall.sample or "", pitfall)
    fix = "".join(_fix(pitfall.fix))
    return f"\n### `{pitfall.id}`\n\n```text\n{seen}\n```\n\n{cause}.\n\n{fix}Source: {_link(pitfall.source or '')}\n"


def _fix(lines: Sequence[str]) -> Iterator[str]:
    for typed, group in groupby(lines, key=lambda one: one.startswith("$ ")):
        if typed:
            yield "```sh\n" + "".join(f"{one.removeprefix('$ ')}\n" for one in group) + "```\n\n"
        else:
            yield "".join(f"- {one}\n" for one in group) + "\n"


def _link(source: str) -> str:
    found = _GITHUB.fullmatch(source)
    if found is None:
        return source
    kind = "issues" if found[2] == "issue" else "pull"
    return f"[{found[1]}#{found[3]}](https://github.com/{found[1]}/{kind}/{found[3]})"
