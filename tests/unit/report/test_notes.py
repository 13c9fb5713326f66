"""The notes for the team: what stands on the pages, what stays there, and what a host cannot do to them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from provision.errors import UsageError
from provision.pitfalls import shipped
from provision.report.entries import Met, Solved, sightings
from provision.report.markdown import code, fence, prose
from provision.report.met_table import table_lines
from provision.report.notes import BEGIN, END, INDEX, file_name, pages
from provision.report.pages import known_codes
from provision.report.style import Style

if TYPE_CHECKING:
    from provision.report.entries import Entry

HOSTILE = [
    "# a heading",
    "[a link](https://evil.example)",
    "see https://evil.example or www.evil.example or root@evil.example",
    "<script>alert(1)</script>",
    "--> <img src=x onerror=alert(1)> <!--",
    "``` \n```sh",
    "````",
    "`` ` ``",
    "![picture](https://evil.example/x.png)",
    "| a | b |",
    BEGIN,
    END,
    "<!-- met:",
    "<!-- provision report: disk-full -->",
    "\x1b[31mred\x1b[0m \u202e \u200b \x00 \r",
    "&lt;b&gt; &#64;",
    "\\` <b>`\\",
    "`a``x`y``<b>",
    "`a`b@`<b>`c",
    "`a | b` and a|b@c|d",
    "1. first",
    "- point",
    "$x$",
    "===",
]
MET = Met(
    "2026-03-01T10:00:00Z", "mymodel", "box", "up", "pitfall", "disk-full", "error",
    "No space left on device", "The disk is full.", ("make room", "$ df -h ~", "$ du -sh ~/*"),
)  # fmt: skip
SOLVED = Solved("2026-03-01T11:30:00Z", "mymodel", "box", "up", ("disk-full",), ("build mymodel", "make it current"))
FOUND = replace(MET, kind="finding", code="GPU-XID", message="Xid 79", cause=None, fix=("sudo reboot   (at night)",))


def written(*entries: Entry, standing: dict[str, str | None] | None = None) -> dict[str, str]:
    return pages(sightings(entries), standing or {}, "docs/note")


def rendered(text: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(text))


def test_a_page_says_what_was_seen_why_what_to_do_and_that_it_is_open() -> None:
    page = written(MET)["disk-full.md"]
    assert "**Open** on `box`." in page
    assert "- on `box`, 2026-03-01 10:00 UTC, by `provision up`\n\n```text\nNo space left on device\n```\n" in page
    assert "## Why\n\nThe disk is full.\n" in page
    assert "- make room\n\n```sh\ndf -h ~\ndu -sh ~/*\n```\n" in page
    assert "- on `box`: not yet\n" in page


def test_a_solved_page_names_the_run_and_the_steps_that_changed_the_host() -> None:
    page = written(MET, SOLVED)["disk-full.md"]
    assert "**Solved** on every host" in page
    solution = "- on `box`, 2026-03-01 11:30 UTC: `provision up` ended well, after it changed: `build mymodel`, "
    assert solution + "`make it current`\n" in page
    assert "ended well, and had nothing to change" in written(MET, replace(SOLVED, steps=()))["disk-full.md"]


def test_a_finding_is_explained_by_its_own_page() -> None:
    page = written(FOUND)["GPU-XID.md"]
    assert "```sh\nsudo reboot\n```\n\n- at night\n" in page
    assert "`provision verify --explain GPU-XID`" in page
    assert "# GPU-XID: " in page
    assert "Xid 79" not in page.partition("\n## Why\n")[2].partition("\n<!-- met:")[0]


def test_the_index_has_a_row_for_each_code_what_is_open_first() -> None:
    other = replace(MET, host="a2", at="2026-02-01T10:00:00Z", code="proxy")
    index = written(other, MET, SOLVED)[INDEX]
    rows = [line for line in index.splitlines() if line.startswith("| [")]
    assert rows == [
        "| [`proxy`](proxy.md) | The disk is full. | `a2` | 2026-02-01 | 2026-02-01 | **open** on `a2` |",
        "| [`disk-full`](disk-full.md) | The disk is full. | `box` | 2026-03-01 | 2026-03-01 | solved |",
    ]


def test_a_page_made_anew_from_the_same_is_the_same() -> None:
    first = written(MET, SOLVED, FOUND)
    assert written(MET, SOLVED, FOUND, standing=dict(first)) == first


@pytest.mark.parametrize("name", ["disk-full.md", INDEX])
def test_what_people_write_between_the_marks_and_below_stays(name: str) -> None:
    mine = f"{BEGIN}\n\n## Ask Li\n\n```\n{END}\n```\n\n{BEGIN}\nmore\n{END}\n\nand below\n"
    first = written(MET)
    standing: dict[str, str | None] = {**first, name: first[name].replace(f"{BEGIN}\n{END}\n", mine)}
    again = written(MET, SOLVED, standing=standing)
    assert again[name].endswith(mine)
    assert "olved" in again[name]
    assert written(MET, SOLVED, standing=dict(again)) == again


@pytest.mark.parametrize(
    "text", ["# My own page\n", "", f"{BEGIN}\n{END}\n", "<!-- provision report: other -->\n", None]
)
@pytest.mark.parametrize("name", ["disk-full.md", INDEX])
def test_a_page_that_is_not_ours_is_refused(name: str, text: str | None) -> None:
    with pytest.raises(UsageError, match=rf"docs/note/{name}: not written by `provision report`"):
        written(MET, standing={name: text})


def test_a_page_without_its_marks_is_refused_as_what_people_wrote_could_be_lost() -> None:
    page = written(MET)["disk-full.md"]
    for gone in (BEGIN, END):
        with pytest.raises(UsageError, match="are gone"):
            written(MET, standing={"disk-full.md": page.replace(gone, "")})


def test_pages_of_nothing_that_was_met_here_are_not_written_and_stay_in_the_index() -> None:
    theirs = written(replace(MET, host="their-box", code="proxy"))
    ours = written(MET, standing={**theirs, "hand-written.md": "# Ours\n"})
    assert sorted(ours) == [INDEX, "disk-full.md"]
    assert "[`proxy`](proxy.md)" in ours[INDEX]
    assert "hand-written" not in ours[INDEX]


def test_what_another_machine_met_stays_on_the_page_and_the_last_word_counts() -> None:
    theirs = written(replace(MET, host="their-box"), MET)
    both = written(MET, SOLVED, standing=dict(theirs))["disk-full.md"]
    assert "- on `their-box`: not yet" in both
    assert "- on `box`, 2026-03-01 11:30 UTC" in both
    back = written(MET, standing={"disk-full.md": both})["disk-full.md"]
    assert "- on `box`, 2026-03-01 11:30 UTC" in back
    later = written(replace(MET, at="2026-03-02T00:00:00Z"), standing={"disk-full.md": both})["disk-full.md"]
    assert "- on `box`: not yet" in later


def test_records_that_somebody_spoilt_are_passed_over() -> None:
    page = written(replace(MET, host="their-box"))["disk-full.md"]
    for spoilt in (page.replace('"times": 1', '"times": "many"'), page.replace('"first": "2026', '"first": "<b>')):
        assert spoilt != page
        assert "their-box" not in written(MET, standing={"disk-full.md": spoilt})["disk-full.md"]


def test_a_page_speaks_of_its_own_code_alone() -> None:
    page = written(replace(MET, host="their-box"))["disk-full.md"].replace('"code": "disk-full"', '"code": "proxy"')
    assert "their-box" not in "".join(written(MET, standing={"disk-full.md": page}).values())


def test_two_projects_are_told_apart_where_both_are_shown() -> None:
    page = written(MET, replace(MET, project="other"))["disk-full.md"]
    assert "`box (mymodel)`" in page
    assert "`box (other)`" in page


def test_no_two_codes_share_a_file_where_capitals_do_not_count() -> None:
    names = [file_name(code, "finding") for code in known_codes()]
    names += [file_name(one.id, "pitfall") for one in shipped()] + [file_name("readme", "pitfall"), INDEX]
    assert len({one.casefold() for one in names}) == len(names)
    assert file_name("disk-full-of-it", "pitfall") == "disk-full-of-it.md"


# -- what hosts say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_evidence_stays_evidence(text: str) -> None:
    calm, hostile = (
        written(
            replace(MET, message=one),
            replace(FOUND, message=one, fix=(one,)),
            replace(FOUND, code="OF-A-LATER-VERSION", message=one),
            replace(SOLVED, steps=(one,)),
        )
        for one in ("calm", text)
    )
    for name, page in hostile.items():
        # The same elements, and nothing that moves the cursor or hides.
        assert _tags(page) == _tags(calm[name]), page
        assert page.replace("\n", "").isprintable()
    again = written(MET, FOUND, standing=dict(hostile))
    assert all(one.endswith(f"\n{BEGIN}\n{END}\n") for one in again.values())
    assert all(one.count(f"\n{BEGIN}\n") == 1 for one in hostile.values())


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("cell", [True, False])
def test_a_cause_or_a_host_name_makes_no_element_but_code(text: str, cell: bool) -> None:
    for shown in (prose(text, cell=cell), code(text, cell=cell)):
        row = f"| a | b |\n|---|---|\n| {shown} | x |\n" if cell else f"{shown}\n"
        html = rendered(row)
        assert html.count("<td>") == (2 if cell else 0)
        assert not set(_names(html)) - {"table", "thead", "tbody", "tr", "th", "td", "p", "code"}, html
        assert "evil.example" not in _outside_code(html), html


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_ends_a_block_of_code(text: str) -> None:
    html = rendered("\n".join([*fence(["first", *text.split("\n"), "last"], "sh"), "", "after"]))
    assert _names(html) == ["pre", "code", "p"], html


def test_code_in_a_cause_stays_code() -> None:
    assert prose("add `xz` to the *dependencies*") == "add `xz` to the \\*dependencies\\*"


def _names(html: str) -> list[str]:
    return re.findall(r"<([a-z][a-z0-9]*)", html)


def _outside_code(html: str) -> str:
    return re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)


def _tags(page: str) -> list[str]:
    """Return the elements that a page becomes, without those of its title's and Why's words."""
    return [one for one in _names(rendered(page)) if one != "code"]


# -- the terminal --------------------------------------------------------------------------------------------------


def test_the_table_shows_what_is_open_first_and_nothing_that_moves_the_cursor() -> None:
    entries: list[Entry] = [MET, SOLVED, replace(MET, host="a2\x1b[2J", code="proxy", at="2026-01-01T00:00:00Z")]
    lines = list(table_lines(sightings(entries), Style(enabled=False), 80))
    assert lines[0].split()[:3] == ["now", "code", "host"]
    assert lines[1].startswith("open    proxy      a2\\x1b[2J  2026-01-01 00:00")
    assert lines[2].startswith("solved  disk-full  box")
    assert all(len(one) <= 80 for one in lines)


def test_a_host_that_failed_and_was_mended_within_a_second_is_solved() -> None:
    standing: dict[str, str | None] = dict(written(MET))
    assert "not yet" not in written(MET, replace(SOLVED, at=MET.at), standing=standing)["disk-full.md"]
