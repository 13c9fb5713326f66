"""Every finding has a page in each language, and each page has what its readers look for."""

from __future__ import annotations

import re
import subprocess
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.unit.docs import test_examples
from tests.unit.docs.pages import REFERENCE, REPOSITORY, name
from tests.unit.docs.source import finding_codes

if TYPE_CHECKING:
    from pathlib import Path

FINDINGS = REPOSITORY / "docs" / "findings"
HEADINGS = {
    "en": ["Why it matters", "What was looked at", "What to do", "See also"],
    "zh": ["为什么重要", "看了什么", "怎么办", "另见"],
}
SEVERITY = re.compile(r"(error|warning|info)( or (error|warning|info)){0,2}")
LONGEST_WHY = 150
"""Characters of the sentence that is shown below a finding."""
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SENTENCE = re.compile(r".+?(?:[.!?](?=\s|$)|[。！？])")
_ROW = re.compile(r"^\| \[?`([A-Z][A-Z0-9-]+)`[^|]* \| ([a-z ]+) \|", re.MULTILINE)


def _pages() -> list[Path]:
    return [page for language in HEADINGS for page in sorted((FINDINGS / language).glob("*.md"))]


def _fenced(page: Path) -> list[tuple[str, str]]:
    """Return kind and text of each fenced block, those inside of lists too."""
    found = _FENCE.findall(page.read_text("utf-8"))
    return [(kind, textwrap.dedent(text)) for _, kind, text in found]


def _commands(page: Path) -> list[tuple[str, str]]:
    """Return the fenced blocks without comments, which may be translated."""
    return [(kind, re.sub(r"(^|\s)#.*", "", text)) for kind, text in _fenced(page) if kind != "text"]


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))


def _sections(page: Path) -> dict[str, str]:
    """Return the text below each heading of the second level, in their order."""
    parts = re.split(r"^## (.+)\n", _prose(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _severity(page: Path) -> str:
    return page.read_text("utf-8").splitlines()[2].removeprefix("Severity: ")


each_page = pytest.mark.parametrize("page", _pages(), ids=name)


@pytest.mark.parametrize("language", HEADINGS)
def test_every_finding_has_a_page_and_every_page_a_finding(language: str) -> None:
    codes, written = finding_codes(), {page.stem for page in (FINDINGS / language).glob("*.md")}
    assert {"without a page": codes - written, "of no finding": written - codes} == {
        "without a page": set(),
        "of no finding": set(),
    }


def test_nothing_else_lies_between_the_pages() -> None:
    others = [one for one in FINDINGS.rglob("*") if one.is_file() and one not in (*_pages(), FINDINGS / "index.md")]
    assert others == []


@each_page
def test_a_page_begins_with_its_code_a_title_and_a_severity(page: Path) -> None:
    first, empty, severity, *_ = page.read_text("utf-8").splitlines()
    assert re.fullmatch(rf"# {re.escape(page.stem)}: \S.*[^.。\s]", first), first
    assert empty == ""
    assert severity.startswith("Severity: "), severity
    assert SEVERITY.fullmatch(_severity(page)), severity


@each_page
def test_a_page_has_the_headings_in_their_order_and_text_below_each(page: Path) -> None:
    wanted = HEADINGS[page.parent.name]
    found = re.findall(r"^#{2,6} .*$", _prose(page), re.MULTILINE)
    assert found in ([f"## {one}" for one in wanted], [f"## {one}" for one in wanted[:3]])
    # What to do may be a block of commands alone.
    bare = [title for title, text in _sections(page).items() if not text.strip() and title != wanted[2]]
    assert bare == []


@each_page
def test_the_first_sentence_of_why_is_short_enough_to_stand_below_a_finding(page: Path) -> None:
    why = " ".join(_sections(page)[HEADINGS[page.parent.name][0]].split())
    sentence = _SENTENCE.match(why)
    assert sentence is not None, why
    assert len(sentence[0]) <= LONGEST_WHY, f"{len(sentence[0])} characters: {sentence[0]}"


@each_page
def test_every_fenced_block_is_closed_and_says_what_it_is(page: Path) -> None:
    fences = [line for line in page.read_text("utf-8").splitlines() if line.lstrip().startswith("```")]
    assert len(fences) == 2 * len(_fenced(page))
    assert {kind for kind, _ in _fenced(page)} <= {"sh", "yaml", "text"}


@each_page
def test_every_command_is_one_that_a_shell_can_read(page: Path) -> None:
    commands = "\n".join(text for kind, text in _fenced(page) if kind == "sh")
    read = subprocess.run(["bash", "-n"], input=commands, text=True, capture_output=True, check=False, timeout=60)
    assert read.returncode == 0, read.stderr


@each_page
def test_every_example_of_a_file_is_taken(page: Path, tmp_path: Path) -> None:
    for number, text in enumerate(text for kind, text in _fenced(page) if kind == "yaml"):
        folder = tmp_path / str(number)
        folder.mkdir()
        test_examples.test_the_example_is_taken(page, text, folder)


@each_page
def test_a_page_leads_to_other_pages_only(page: Path) -> None:
    others = _sections(page).get(HEADINGS[page.parent.name][3], "")
    named = set(re.findall(r"`([^`]+)`", others))
    assert named <= {one.stem for one in page.parent.glob("*.md")} - {page.stem}
    assert not others or named


@pytest.mark.parametrize("code", sorted({page.stem for page in _pages()}))
def test_the_languages_agree_on_severity_and_commands(code: str) -> None:
    english, chinese = (FINDINGS / language / f"{code}.md" for language in HEADINGS)
    assert _severity(english) == _severity(chinese)
    assert _commands(english) == _commands(chinese)


def test_the_pages_and_the_table_of_findings_agree_on_every_severity() -> None:
    table = dict(_ROW.findall((REFERENCE / "findings.md").read_text("utf-8")))
    assert {page.stem: _severity(page) for page in _pages()} == table
