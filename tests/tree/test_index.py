"""A file is read once: until it changes, the index knows its hash; whatever is wrong with the index costs time only."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from provision.sync.manifest import EXECUTABLE
from provision.tree.listing import Scan, scan_tree
from provision.tree.state import TreeState
from tests.tree.repository import write

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = hashlib.sha256(b"x").digest()


def read_all(scan: Scan) -> Scan:
    for position, path in enumerate(scan.paths):
        if scan.hashes[position] is None:
            place = os.path.join(scan.root, path)
            with open(place, "rb") as stream:
                scan.learn(position, hashlib.sha256(stream.read()).digest(), os.stat(place))
    scan.save()
    return scan


@pytest.fixture
def settled(root: Path, monkeypatch: pytest.MonkeyPatch) -> TreeState:
    """A tree of three files that was read long after they were written."""
    write(root, "a", "b/c", "b/d")
    (root / "link").symlink_to("a")
    state = TreeState.of(root)
    monkeypatch.setattr("provision.tree.listing.time.time_ns", lambda: 2**62)
    read_all(scan_tree(root, state=state))
    return state


def unknown(root: Path, state: TreeState | None, *, rehash: bool = False) -> list[bytes]:
    scan = scan_tree(root, state=state, rehash=rehash)
    return [path for path, sha256 in zip(scan.paths, scan.hashes, strict=True) if sha256 is None]


def test_unchanged_files_are_known(root: Path, settled: TreeState) -> None:
    assert unknown(root, settled) == []
    manifest = scan_tree(root, state=settled).manifest()
    assert manifest.entries[b"b/c"].sha256 == DIGEST
    assert set(manifest.entries) == {b"a", b"b/c", b"b/d", b"link"}


def test_changed_new_and_replaced_files_must_be_read(root: Path, settled: TreeState) -> None:
    before = os.stat(root / "a")
    write(root, "a", content=b"y")
    os.utime(root / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    write(root, "b/new")
    (root / "b" / "d").chmod(0o755)
    assert unknown(root, settled) == [b"a", b"b/d", b"b/new"]
    scan = read_all(scan_tree(root, state=settled))
    assert scan.kinds[scan.paths.index(b"b/d")] == EXECUTABLE
    assert unknown(root, settled) == []


def test_all_is_read_again_on_demand_and_without_a_state(root: Path, settled: TreeState) -> None:
    assert unknown(root, settled, rehash=True) == [b"a", b"b/c", b"b/d"]
    assert unknown(root, None) == [b"a", b"b/c", b"b/d"]


def test_a_file_read_right_after_it_was_written_is_not_trusted(root: Path) -> None:
    write(root, "a")
    state = TreeState.of(root)
    read_all(scan_tree(root, state=state))
    assert unknown(root, state) == [b"a"]


def test_the_index_is_written_only_when_something_changed(root: Path, settled: TreeState) -> None:
    before = os.stat(settled.index).st_ino
    scan_tree(root, state=settled).save()
    assert os.stat(settled.index).st_ino == before
    (root / "a").unlink()
    (root / "link").unlink()
    scan_tree(root, state=settled).save()
    assert os.stat(settled.index).st_ino != before


@pytest.mark.parametrize("cut", range(0, 300, 7))
def test_a_torn_index_is_as_if_absent(root: Path, settled: TreeState, cut: int) -> None:
    with open(settled.index, "r+b") as stream:
        stream.truncate(cut)
    assert unknown(root, settled) == [b"a", b"b/c", b"b/d"]


@pytest.mark.parametrize("at", [0, 3, 5, 12, 20, 30, 60, 200])
def test_a_flipped_bit_makes_the_index_as_if_absent(root: Path, settled: TreeState, at: int) -> None:
    with open(settled.index, "r+b") as stream:
        data = bytearray(stream.read())
        data[at] ^= 4
        stream.seek(0)
        stream.write(data)
    assert unknown(root, settled) == [b"a", b"b/c", b"b/d"]


def test_a_manifest_needs_every_hash(root: Path) -> None:
    write(root, "a")
    with pytest.raises(ValueError, match="not read yet: a"):
        scan_tree(root).manifest()
