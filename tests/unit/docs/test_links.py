"""Links lead somewhere, and the two READMEs say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.docs.pages import REPOSITORY, anchors, blocks, headings, links, name, pages

if TYPE_CHECKING:
    from pathlib import Path

ENGLISH, CHINESE = REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md"


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_link_to_a_file_or_heading_resolves(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{name(page)}: {link}"


def test_every_page_below_docs_is_reached_from_the_index() -> None:
    index = REPOSITORY / "docs" / "index.md"
    # The findings have an index of their own.
    indexes = (index, REPOSITORY / "docs" / "findings" / "index.md")
    reached = {(start.parent / one.partition("#")[0]).resolve() for start in indexes for one in links(start)}
    assert {one for one in pages() if one.is_relative_to(index.parent)} - {index} <= reached


def test_both_readmes_have_the_same_headings_and_the_same_commands() -> None:
    assert [level for level, _ in headings(ENGLISH)] == [level for level, _ in headings(CHINESE)]
    assert blocks(ENGLISH) == blocks(CHINESE)


def test_both_readmes_lead_to_the_same_pages() -> None:
    other = {"README.md": "README.zh-CN.md"}
    assert sorted(other.get(one, one) for one in links(CHINESE)) == sorted(links(ENGLISH))


def test_every_page_begins_with_one_title() -> None:
    for page in pages():
        assert [level for level, _ in headings(page)].count(1) == 1, name(page)
