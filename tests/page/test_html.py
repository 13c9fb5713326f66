"""The page as a file: what a browser is allowed to do with it, and that nothing in its data is markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from provision.page.document import document, last_steps, script_json
from provision.page.explained import blocks, explained
from provision.page.fleet import Fleet, HostNow, Outcome, RunSeen
from provision.page.html import ASSETS, MARK, SCRIPTS, page, policy
from provision.page.words import words
from provision.report.pages import known_codes, pages_folder
from tests.page.sample import NOW, fleet


class Parsed(HTMLParser):
    """What stands in the page, as a parser sees it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._in: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        self._in = {"script": self.scripts, "style": self.styles}.get(tag)

    def handle_data(self, data: str) -> None:
        if self._in is not None:
            self._in.append(data)
            self._in = None


def test_only_the_script_and_the_style_that_stand_there_are_allowed() -> None:
    parsed = Parsed(page(fleet(3)))
    data, script = parsed.scripts
    (style,) = parsed.styles
    for kind, text in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy(live=False)
    assert "default-src 'none'" in policy(live=False)
    assert "connect-src" not in policy(live=False)
    assert "connect-src 'self'" in policy(live=True)
    assert json.loads(data)["project"] == "mymodel"


def test_nothing_of_the_page_lies_elsewhere() -> None:
    text = page(fleet(3))
    assert MARK in text
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", text)
    assert not any(name.startswith("on") or name == "style" for name, _ in Parsed(text).attributes)


@pytest.mark.parametrize("text", ["</script>", "<!--", "&lt;", "\u2028", "\ud800", "]]>"])
def test_data_ends_no_script_and_begins_no_markup(text: str) -> None:
    shown = script_json({"name": text})
    assert shown.isascii()
    assert not set(shown) & set("<>&")
    assert json.loads(shown) == {"name": text}


def test_what_cannot_be_seen_is_shown_escaped_and_what_has_no_end_is_cut() -> None:
    one = replace(fleet(1), hosts=(HostNow("a\u202eb\x1b[2J", verdict="x" * 1_000_000, at=float("inf")),))
    (host,) = document(one)["hosts"]
    assert host["name"] == r"a\u202eb\x1b[2J"
    assert len(host["verdict"]) == 2000
    assert host["at"] is None


def test_of_many_runs_on_many_hosts_the_newest_are_shown_and_it_is_said_that_there_are_more() -> None:
    hosts = tuple(Outcome(str(at), "converged") for at in range(1000))
    runs = tuple(RunSeen(str(at), "up", "up", NOW - at, hosts=hosts) for at in range(8))
    shown = document(Fleet(NOW, runs=runs))
    assert ([one["id"] for one in shown["runs"]], shown["left_off"]) == (["0", "1", "2", "3", "4", "5"], True)
    shown = document(Fleet(NOW, runs=runs[:6]))
    assert (len(shown["runs"]), shown["left_off"]) == (6, False)
    assert len(document(Fleet(NOW, runs=(replace(runs[0], hosts=hosts * 9), *runs)))["runs"]) == 1


def test_the_steps_of_a_host_are_those_of_its_last_run() -> None:
    several = fleet(2, weeks=2)
    found = last_steps(several.steps)
    assert set(found) == {one.name for one in several.hosts}
    assert {one.run for steps in found.values() for one in steps} == {"run-0"}


def test_each_word_stands_in_both_languages_and_each_one_that_the_script_asks_for_is_there() -> None:
    english, chinese = words("en"), words("zh")
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert text.strip()
        assert chinese[key].strip()
        assert set(re.findall(r"{\d}", text)) == set(re.findall(r"{\d}", chinese[key])), key
    script = "".join((ASSETS / one).read_text("utf-8") for one in SCRIPTS)
    asked = set(re.findall(r'\bword\(\s*"([a-z_]+)"', script)) | set(re.findall(r'\{ key: "([a-z]+)"', script))
    assert len(asked) > 40
    assert asked <= english.keys()


def test_the_script_makes_no_markup_of_texts() -> None:
    script = "".join((ASSETS / one).read_text("utf-8") for one in SCRIPTS)
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
        ".style",
    ):
        assert way not in script


def test_each_finding_that_has_a_page_is_explained_in_both_languages() -> None:
    every = explained([*known_codes(), "NO-SUCH", "not a code", "../../etc/passwd"])
    assert tuple(every) == known_codes()
    for code, both in every.items():
        for language, one in both.items():
            raw = (pages_folder() / language / f"{code}.md").read_text("utf-8")
            shown = json.dumps(one["blocks"], ensure_ascii=False)
            assert one["title"], code
            assert raw.count("\n## ") == sum(kind == "h" for kind, _ in one["blocks"]), code
            assert "```" not in shown, code
            assert not re.search(r"\]\([^)]*\)", shown), code


def test_markdown_becomes_blocks() -> None:
    text = "# X: y\n\none\ntwo [here](there)\n\n- a\n  b\n- c\n\n```sh\n# d\n```\n\n| e | f |\n|---|---|\n| 1 | 2 |\n"
    assert blocks(text) == [
        ["p", "one two here"],
        ["list", ["a b", "c"]],
        ["code", "# d"],
        ["table", [["e", "f"], ["1", "2"]]],
    ]


def test_an_empty_fleet_is_a_page_too() -> None:
    assert json.loads(Parsed(page(Fleet(NOW))).scripts[0])["hosts"] == []
