"""The canonical form of a tree: one for each tree, and nothing that is no path of a tree gets in by it."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.sync.manifest import EMPTY, EXECUTABLE, FILE, LINK, Entry, Manifest, check_path

ENTRY = Entry(FILE, 3, b"h" * 32)
NO_PATHS = (
    *(b"", b".", b"..", b"/", b"/a", b"a/", b"a//b", b"a/./b", b"a/..", b"../a", b"a/../b", b".provision"),
    *(b".provision/x", b"x" * 256, b"a/" + b"x" * 256, b"/".join([b"d" * 200] * 21)),
)
PATHS = (
    b"...",
    b"..a",
    b".a",
    b"a.",
    b"a/.provision",
    b".provisionx",
    b"x" * 255,
    b"\n",
    b"\xff",
    b"a/...",
    b" ",
    b"-rf",
)

names = st.binary(min_size=1, max_size=8).map(lambda name: name.replace(b"\0", b"0").replace(b"/", b"-") + b"_")
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
entries = st.dictionaries(
    paths,
    st.builds(
        Entry,
        st.sampled_from([FILE, EXECUTABLE, LINK]),
        st.integers(0, 2**64 - 1),
        st.binary(min_size=32, max_size=32),
    ),
    max_size=20,
)


@given(entries)
def test_a_manifest_is_read_back_as_it_was_and_its_order_is_that_of_the_paths(tree: dict[bytes, Entry]) -> None:
    made = Manifest.of(tree)
    read = Manifest.parse(made.blob)
    assert read == made
    assert read.id == made.id == hashlib.sha256(made.blob).hexdigest()
    assert dict(read.entries) == tree
    assert list(read.entries) == list(made.entries) == sorted(tree)
    assert len(read) == len(tree)


@given(entries)
def test_columns_and_entries_give_the_same_manifest(tree: dict[bytes, Entry]) -> None:
    ordered = sorted(tree)
    columns = [[tree[path][place] for path in ordered] for place in range(3)]
    assert Manifest.of_columns(ordered, *columns) == Manifest.of(tree)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", NO_PATHS)
def test_what_is_no_path_of_a_tree_is_refused_wherever_it_stands(path: bytes) -> None:
    with pytest.raises(ValueError, match="not a"):
        check_path(path)
    for others in ((), (b"0",), (b"0", b"~")):
        with pytest.raises(ValueError, match="not a"):
            Manifest.parse(Manifest.of(dict.fromkeys((*others, path), ENTRY)).blob)


@pytest.mark.parametrize("path", PATHS)
def test_what_only_looks_odd_is_taken(path: bytes) -> None:
    check_path(path)
    assert list(Manifest.parse(Manifest.of({path: ENTRY}).blob).entries) == [path]


@pytest.mark.parametrize("paths", [(b"b", b"a"), (b"a", b"a"), (b"a", b"c", b"b")])
def test_paths_that_are_not_in_order_or_twice_are_refused(paths: tuple[bytes, ...]) -> None:
    many = len(paths)
    with pytest.raises(ValueError, match="order"):
        Manifest.parse(Manifest.of_columns(paths, [1] * many, [0] * many, [b"h" * 32] * many).blob)


@pytest.mark.parametrize("kind", [0, 4, 255])
def test_an_entry_of_no_known_kind_is_refused(kind: int) -> None:
    with pytest.raises(ValueError, match="kind"):
        Manifest.parse(Manifest.of({b"a": ENTRY, b"b": Entry(kind, 0, b"h" * 32)}).blob)


@given(entries.filter(bool), st.data())
def test_a_damaged_form_is_refused_or_names_another_tree(tree: dict[bytes, Entry], data: st.DataObject) -> None:
    made = Manifest.of(tree)
    at = data.draw(st.integers(0, len(made.blob) - 1))
    for damaged in (
        made.blob[:at],
        made.blob[:at] + bytes([made.blob[at] ^ 1]) + made.blob[at + 1 :],
        made.blob + b"\0",
    ):
        try:
            read = Manifest.parse(damaged)
        except ValueError:
            continue
        assert read.id != made.id


def test_the_empty_tree_is_a_tree() -> None:
    assert Manifest.parse(EMPTY.blob) == EMPTY
    assert not EMPTY.entries
