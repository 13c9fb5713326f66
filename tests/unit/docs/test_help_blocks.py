"""The reference of the command line shows what `--help` prints. PROVISION_REWRITE_DOCS=1 writes it anew."""

from __future__ import annotations

import os

import pytest

from tests.unit.docs.help_text import PAGE, all_help, commands, heading, page_with, words_of
from tests.unit.docs.pages import blocks, headings


@pytest.fixture(scope="module", autouse=True)
def _rewritten() -> None:
    if os.environ.get("PROVISION_REWRITE_DOCS"):
        PAGE.write_text(page_with(all_help(), PAGE.read_text("utf-8")), "utf-8")


def test_every_command_has_a_heading_and_nothing_else_has_one() -> None:
    shown = [text.strip("`") for level, text in headings(PAGE) if level == 2]
    assert [one for one in shown if one.startswith("provision")] == [heading(one) for one in commands()]


@pytest.mark.parametrize("command", commands(), ids=heading)
def test_the_block_below_a_command_is_its_present_help(command: str) -> None:
    shown = dict(zip(commands(), blocks(PAGE, "text"), strict=True))
    assert words_of(shown[command]) == words_of(all_help()[command]), (
        "the help text changed: run this test with PROVISION_REWRITE_DOCS=1 and read the difference"
    )
