from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.sync.answers import answer_of, phase_of, placed_of, printable, refusal_of
from provision.sync.wire import WireError

GOOD: dict[str, Any] = {
    "protocol": 1,
    "tree": "/home/me/work/p",
    "id": "a" * 64,
    "owner": {"client": "c" * 32, "root": "/p", "who": "me@laptop", "format": 1},
    "codecs": ["zstd", "gzip"],
    "free_bytes": 1,
    "free_files": 2,
    "changed": {"a": "content", "\udcff": "missing"},
    "partial": {"b" * 64: 5},
    "staged": 3,
    "top": [],
    "rolled_forward": False,
}


def test_a_good_answer_is_read_and_names_that_are_no_utf8_are_bytes_again() -> None:
    answer = answer_of(json.dumps(GOOD).encode())
    assert answer.changed == {b"a": "content", b"\xff": "missing"}
    assert answer.owner is not None
    assert answer.owner.who == "me@laptop"
    assert (answer.staged, answer.free_bytes, answer.partial) == (3, 1, {"b" * 64: 5})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("protocol", 2),
        ("tree", "work/p"),
        ("tree", None),
        ("tree", "/" + "x" * 5000),
        ("id", "A" * 64),
        ("id", 7),
        ("owner", "me"),
        ("owner", {"client": 1}),
        ("codecs", "zstd"),
        ("codecs", ["x"] * 11),
        ("free_bytes", -7),
        ("free_bytes", 1 << 70),
        ("free_bytes", True),
        ("free_bytes", 1.5),
        ("changed", {"../x": "content"}),
        ("changed", {"/etc/passwd": "content"}),
        ("changed", {".provision/lock": "content"}),
        ("changed", {"a\0": "content"}),
        ("changed", {"a": "gone"}),
        ("changed", {"a": []}),
        ("changed", {"\ud800": "content"}),
        ("changed", ["a"]),
        ("partial", {"../x": 1}),
        ("partial", {"b" * 64: -1}),
        ("staged", -1),
        ("staged", "1"),
        ("top", ["x"] * 1001),
        ("top", [1]),
        ("kept", [["a"]]),
        ("kept", [["a", 1]]),
    ],
)
def test_an_answer_of_another_shape_is_refused(name: str, value: object) -> None:
    with pytest.raises(WireError):
        answer_of(json.dumps({**GOOD, name: value}).encode())


junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "kind", "message", "hint", "kept", "phase", "files"]), junk, max_size=4))
def test_no_answer_makes_anything_but_a_refusal(values: dict[str, Any]) -> None:
    for read, good in ((answer_of, GOOD), (placed_of, GOOD), (phase_of, {}), (refusal_of, {})):
        try:
            read(json.dumps({**good, **values}).encode())
        except WireError:
            pass


def test_a_hosts_words_reach_a_terminal_as_text_alone() -> None:
    refusal = refusal_of(
        json.dumps({"kind": "io", "message": "\x1b]0;x\x07\n\u202e" + "a" * 5000, "hint": ""}).encode()
    )
    assert refusal.message.startswith("\\x1b]0;x\\x07\\n\\u202e")
    assert len(refusal.message) < 2100
    assert refusal.hint is None
    assert printable("\udcff é") == "\\udcff é"


def test_what_was_placed_is_read() -> None:
    placed = placed_of(json.dumps({"id": "a" * 64, "kept": [["a", "/w"]], "placed": 1, "resumed": 9}).encode())
    assert (placed.kept, placed.placed, placed.removed, placed.resumed) == ((("a", "/w"),), 1, 0, 9)
