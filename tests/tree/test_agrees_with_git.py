"""Whatever the tree and its ignore files: what counts is exactly what git would track."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from provision.tree.listing import scan_tree
from tests.tree.repository import git, write

pytestmark = pytest.mark.timeout(900)
"""Hundreds of git processes: on a machine with much else to do they take minutes."""

NAMES = st.sampled_from(
    [b"a", b"b", b"ab", b"a.o", b"b.py", b"data", b" x", b"a\nb", b"\xff", b"]", b"^", b"-z", b"#h", b"!n", b"a "]
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
PIECES = st.one_of(
    st.sampled_from(rb"a b * ** ? / / .o .py data [ab] [!a] [^a-b] []-] [[:alpha:]] [z-a] [a \ \* # !".split()),
    st.sampled_from([b"***", b"/**/", b"**/", b"[a/b]", rb"[\]]", b" ", b"\\ ", b"\t", b"\xff"]),
)
LINES = st.lists(PIECES, min_size=1, max_size=5).map(b"".join)
PLAIN = st.sampled_from(
    [b"*", b"!*/", b"!*.py", b"data/", b"/a", b"!/a", b"a/**", b"**/b", b"!data/", b"*.o", b"a/b", b"*\r"]
)
IGNORE = st.lists(st.one_of(LINES, PLAIN), max_size=5).map(b"\n".join)


@st.composite
def trees(draw: st.DrawFn) -> dict[bytes, bytes]:
    """Files that fit beside each other, some of them ignore files."""
    paths = draw(st.lists(PATHS, min_size=1, max_size=12, unique=True))
    tree: dict[bytes, bytes] = {}
    for path in paths:
        parents = {path[:at] for at in range(len(path)) if path[at : at + 1] == b"/"}
        if not parents & tree.keys() and not any(one.startswith(path + b"/") for one in tree):
            tree[path] = b"x"
    folders = sorted({b""} | {path.rpartition(b"/")[0] for path in tree})
    for folder in draw(st.lists(st.sampled_from(folders), max_size=3, unique=True)):
        tree[os.path.join(folder, b".gitignore")] = draw(IGNORE)
    return tree


def _made(place: Path, tree: dict[bytes, bytes]) -> Path:
    for path, content in tree.items():
        write(place, path, content=content)
    return place


def _tracked(tree: dict[bytes, bytes], folder: Path) -> list[bytes]:
    scratch = _made(folder / "scratch", tree)
    git(scratch, "init", "-q", "--template=")
    git(scratch, "add", "-A")
    return sorted(git(scratch, "ls-files", "-z").split(b"\0")[:-1])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees())
@example({b"a/b.py": b"", b"a/b.o": b"", b".gitignore": b"*\n!*/\n!*.py\n"})
@example({b"a/data": b"", b"data/a": b"", b".gitignore": b"data/\n"})
@example({b"a/b/a": b"", b"b": b"", b".gitignore": b"a/**/\n", b"a/.gitignore": b"!b/\n"})
@example({b"a\nb": b"", b"a": b"", b"a ": b"", b".gitignore": b"a*b\na\\ \n"})
def test_a_tree_without_git_gives_what_git_would_track(tree: dict[bytes, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "scratch").mkdir()
        (place / "plain").mkdir()
        expected = _tracked(tree, place)
        shutil.rmtree(place / "scratch")
        assert scan_tree(_made(place / "plain", tree)).paths == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees(), st.data())
def test_a_work_tree_gives_what_git_would_track(tree: dict[bytes, bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "project"
        place.mkdir()
        _made(place, tree)
        git(place, "init", "-q", "--template=")
        for path in data.draw(st.lists(st.sampled_from(sorted(tree)), max_size=3)):
            git(place, "--literal-pathspecs", "add", "-f", "--", os.fsdecode(path))
        for path in data.draw(st.lists(st.sampled_from(sorted(tree)), max_size=2, unique=True)):
            os.unlink(os.path.join(os.fsencode(place), path))
        found = scan_tree(place).paths
        git(place, "add", "-A")
        assert found == sorted(git(place, "ls-files", "-z").split(b"\0")[:-1])
