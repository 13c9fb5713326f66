"""The reference shows every shipped pitfall. PROVISION_REWRITE_DOCS=1 writes it anew."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from provision.pitfalls import known, match, shipped
from provision.pitfalls.schema import PitfallsFile
from tests.unit.docs.pages import blocks, headings
from tests.unit.docs.source import keys
from tests.unit.pitfalls.page import AREAS, PAGE, area, page_with

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module", autouse=True)
def _rewritten() -> None:
    if os.environ.get("PROVISION_REWRITE_DOCS"):
        PAGE.write_text(page_with(shipped(), PAGE.read_text("utf-8")), "utf-8")


def test_the_page_is_that_of_the_data() -> None:
    page = PAGE.read_text("utf-8")
    assert page == page_with(shipped(), page), "the data changed: run this test with PROVISION_REWRITE_DOCS=1"


def test_every_pitfall_has_a_heading_of_its_own() -> None:
    shown = [text.strip("`") for level, text in headings(PAGE) if level == 3]
    assert {one.id for one in shipped()} <= set(shown)
    assert len(set(shown)) == len(shown)


def test_every_area_has_pitfalls_and_every_pitfall_an_area() -> None:
    assert {area(one) for one in shipped()} == set(AREAS)


def test_every_key_of_a_teams_file_has_a_heading() -> None:
    assert set(keys(PitfallsFile)) <= {text.strip("`") for _, text in headings(PAGE)}


def test_the_example_of_a_teams_file_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "pitfalls.yaml"
    path.write_text(blocks(PAGE, "text")[0], "utf-8")
    first = known(path)[0]
    assert first.id == "nas-not-mounted"
    assert match("No such file or directory: '/nas/x'", known(path)) == (first,)
