"""Two environments side by side, as a table and as a document."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.drift import Change, Damage, Held
from provision.report.diff_document import diff_document
from provision.report.diff_sides import Against, Diff
from provision.report.diff_table import diff_lines
from provision.report.display import one_line
from provision.report.style import Style

PLAIN = Style(enabled=False)
ADDED = Change(None, Held("pip", "einops", "0.8.0"))
REMOVED = Change(Held("conda", "numpy", "1.26.4", "py311_0"), None)
CHANGED = Change(Held("pip", "torch", "2.4.0"), Held("pip", "torch", "2.5.1"))
DRIFTED = Diff(
    "box",
    "mymodel",
    "1-0123abcd",
    Against.BUILD,
    "its build",
    (REMOVED, ADDED, CHANGED),
    (Damage("zstd", "1.5", 2, 9, "lib/z.so"),),
    (("einops", "2025-06-15 15:06 UTC"),),
)


def lines(diff: Diff) -> list[str]:
    return [line.rstrip() for line in diff_lines(diff, PLAIN)]


def test_the_table_has_a_row_for_each_package_that_differs() -> None:
    assert lines(DRIFTED) == [
        "box: mymodel 1-0123abcd, against what its build left",
        "  BY     PACKAGE  BOX    ITS BUILD       SINCE",
        "  conda  numpy    -      1.26.4 py311_0",
        "  pip    einops   0.8.0  -               2025-06-15 15:06 UTC",
        "  pip    torch    2.5.1  2.4.0",
        "  zstd 1.5 lacks 2 of its 9 files, such as lib/z.so",
        "  1 added, 1 removed, 1 different, 1 package with files missing",
    ]


def test_two_hosts_are_named_and_counted_by_whose_a_package_is() -> None:
    diff = Diff("a", "mymodel", "1-x", Against.HOST, "b", (ADDED, REMOVED), other_generation="2-y")
    said = lines(diff)
    assert said[0] == "a: mymodel 1-x, against b: mymodel 2-y"
    assert said[1].split() == ["BY", "PACKAGE", "A", "B"]
    assert said[-1].strip() == "1 only on a, 1 only there"


@pytest.mark.parametrize("against", list(Against))
def test_no_difference_is_said(against: Against) -> None:
    assert lines(Diff("box", "mymodel", "1-x", against, "there", ()))[-1] == "  no difference"


def test_damage_alone_is_a_difference() -> None:
    diff = Diff("box", "m", "1-x", Against.BUILD, "", (), (Damage("zstd", "1.5", 1, 9),))
    assert not diff.equal
    assert lines(diff)[1:] == ["  zstd 1.5 lacks 1 of its 9 files", "  1 package with files missing"]


def test_the_document_says_the_same() -> None:
    document = diff_document("env diff", 7, DRIFTED, {})
    diff = document["diff"]
    assert (diff["equal"], diff["against"], diff["host"]) == (False, "build", "box")
    assert [(one["name"], one["by"], one["change"], one["since"]) for one in diff["packages"]] == [
        ("numpy", "conda", "removed", None),
        ("einops", "pip", "added", "2025-06-15 15:06 UTC"),
        ("torch", "pip", "changed", None),
    ]
    assert diff["packages"][0]["there"] == {"version": "1.26.4", "build": "py311_0", "origin": None}
    assert diff["packages"][0]["here"] is None
    assert diff["damaged"] == [{"name": "zstd", "version": "1.5", "missing": 2, "files": 9}]
    assert document["hosts"] == {
        "box": {"outcome": "converged", "environment": "mymodel", "generation": "1-0123abcd", "error": None}
    }


def test_both_hosts_stand_in_the_document() -> None:
    diff = Diff("a", "mymodel", "1-x", Against.HOST, "b", (), other_generation="2-y")
    hosts = diff_document("env diff", 0, diff, {})["hosts"]
    assert {name: one["generation"] for name, one in hosts.items()} == {"a": "1-x", "b": "2-y"}


@given(
    st.text(max_size=80),
    st.text(max_size=80),
    st.sampled_from(list(Against)),
    st.sampled_from(["\x1b[2J", "\udcff", "\u202e", "a\nb", "x" * 3000]),
)
def test_whatever_a_host_calls_its_packages_each_stays_one_line_and_the_document_is_json(
    name: str, version: str, against: Against, odd: str
) -> None:
    change = Change(None, Held("pip", name + odd, version + odd, origin=odd))
    diff = Diff(
        "box",
        odd,
        odd,
        against,
        odd,
        (change,),
        (Damage(odd, odd, 1, 1, odd),),
        ((name + odd, "2025-06-15 15:06 UTC"),),
        odd,
    )
    for line in diff_lines(diff, PLAIN):
        assert line == one_line(line)
        assert len(line) < 600
    json.dumps(diff_document("env diff", 7, diff, {})).encode()
