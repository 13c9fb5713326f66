"""The index of the findings' pages is what the pages say. PROVISION_REWRITE_DOCS=1 writes it anew."""

from __future__ import annotations

import os

from provision.report.pages import explain, known_codes
from tests.unit.docs.pages import REPOSITORY

INDEX = REPOSITORY / "docs" / "findings" / "index.md"
HEAD = """\
# Every finding, with its page

`provision verify --explain CODE` prints the page, in English or in Chinese as your locale says. All codes in one table:
[findings](../reference/findings.md).

| code | what it is | 中文 |
|---|---|---|
"""


def index() -> str:
    lines = []
    for code in known_codes():
        english, chinese = explain(code, "en"), explain(code, "zh")
        lines.append(f"| [`{code}`](en/{code}.md) | {english.title} | [{chinese.title}](zh/{code}.md) |\n")
    return HEAD + "".join(lines)


def test_the_index_names_every_page_with_its_title_in_both_languages() -> None:
    if os.environ.get("PROVISION_REWRITE_DOCS"):
        INDEX.write_text(index(), encoding="utf-8")
    assert INDEX.read_text(encoding="utf-8") == index(), (
        "a page changed: run this test with PROVISION_REWRITE_DOCS=1 and read the difference"
    )
