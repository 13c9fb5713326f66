"""The receiver of a sync: what it makes of a tree, and what it says of one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.scripts.sync_client import (
    ORIGIN,
    Laptop,
    copy,
    delete,
    end,
    entry,
    file,
    link,
    manifest,
    on_disk,
    own_names,
    put,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scripts.sync_client import Item

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the receiver runs on Linux hosts")

SOME = {
    b"README": file("read me"),
    b"src/model.py": file("model"),
    b"src/deep/er/train.py": file("train"),
    b"run.sh": file("#!/bin/sh\n", executable=True),
    b"latest": link("src/model.py"),
    b"empty": file(),
}


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path / "work" / "tree", dict(SOME))


def test_a_first_sync_makes_the_tree(laptop: Laptop) -> None:
    result = laptop.sync()

    assert result["id"] == manifest(laptop.items).id
    assert (result["placed"], result["removed"], result["kept"]) == (len(SOME), 0, [])
    assert on_disk(laptop.tree) == laptop.items
    assert own_names(laptop.tree) == set()


def test_the_first_message_comes_with_the_begin_line_in_one_piece(laptop: Laptop) -> None:
    with laptop.start() as receiver:
        answer = receiver.until(b"A")

        assert len(receiver.first) > len(answer.payload)


def test_files_have_the_rights_of_the_umask_and_ours_are_private(laptop: Laptop) -> None:
    laptop.options = {"umask": 0o027}

    laptop.sync()

    rights = {name: stat.S_IMODE((laptop.tree / name).stat().st_mode) for name in ("README", "run.sh", "src")}
    assert rights == {"README": 0o640, "run.sh": 0o750, "src": 0o750}
    assert stat.S_IMODE((laptop.tree / ".provision").stat().st_mode) == 0o700


def test_nothing_changed_is_said_without_a_delta(laptop: Laptop) -> None:
    laptop.sync()

    answer = laptop.ask()

    assert answer["id"] == manifest(laptop.items).id
    assert answer["changed"] == {}
    assert answer["owner"]["who"] == ORIGIN["who"]
    assert answer["owner"]["synced"]["id"] == answer["id"]
    assert answer["free_bytes"] > 0
    assert answer["free_files"] > 0


def test_a_host_that_nothing_was_synced_to_says_what_stands_at_the_top(laptop: Laptop) -> None:
    laptop.tree.mkdir(parents=True)
    (laptop.tree / "dataset").mkdir()
    (laptop.tree / "notes").touch()

    answer = laptop.ask()

    assert (answer["id"], answer["owner"], answer["top"]) == ("", None, ["dataset", "notes"])


def test_a_dry_run_answers_the_same_and_makes_nothing(laptop: Laptop) -> None:
    dry = laptop.ask(dry_run=True)
    assert not laptop.tree.parent.exists()
    wet = laptop.ask()
    assert {**dry, "free_bytes": 0, "free_files": 0} == {**wet, "free_bytes": 0, "free_files": 0}

    laptop.sync()
    (laptop.tree / "README").write_text("mine")
    before = sorted((one, one.lstat().st_mtime_ns) for one in laptop.tree.rglob("*"))
    answer = laptop.ask(dry_run=True)

    assert answer["changed"] == {"README": "content"}
    assert sorted((one, one.lstat().st_mtime_ns) for one in laptop.tree.rglob("*")) == before


def test_the_whole_manifest_comes_where_the_client_does_not_know_it(laptop: Laptop) -> None:
    laptop.sync()
    other = Laptop(laptop.tree, {b"README": file("other")})

    result = other.sync()

    assert result["removed"] == len(SOME) - 1
    assert on_disk(laptop.tree) == other.items


CHANGES: dict[str, dict[bytes, Item | None]] = {
    "an edit": {b"README": file("changed")},
    "a new file": {b"src/new/file": file("new")},
    "a deletion": {b"src/deep/er/train.py": None},
    "a file gets executable": {b"README": file("read me", executable=True)},
    "a file is no longer executable": {b"run.sh": file("#!/bin/sh\n")},
    "a link leads elsewhere": {b"latest": link("nowhere")},
    "a link becomes a file": {b"latest": file("src/model.py")},
    "a file becomes a link": {b"README": link("read me")},
    "a file becomes a folder": {b"README": None, b"README/first": file("1"), b"README/b/second": file("2")},
    "a folder becomes a file": {b"src/model.py": None, b"src/deep/er/train.py": None, b"src": file("src")},
    "a link becomes a folder": {b"latest": None, b"latest/file": file("1")},
    "a folder becomes a link": {b"src/deep/er/train.py": None, b"src/deep": link("..")},
    "an empty file gets content": {b"empty": file("no longer")},
    "a file gets empty": {b"README": file()},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_arrives_and_comes_back(laptop: Laptop, change: str) -> None:
    laptop.sync()
    before = dict(laptop.items)
    laptop.items = {path: item for path, item in {**laptop.items, **CHANGES[change]}.items() if item is not None}

    assert laptop.sync()["kept"] == []
    assert on_disk(laptop.tree) == laptop.items
    assert laptop.ask()["changed"] == {}

    laptop.items = before
    assert laptop.sync()["kept"] == []
    assert on_disk(laptop.tree) == before
    assert own_names(laptop.tree) == set()


def test_a_change_of_mode_sends_no_content(laptop: Laptop) -> None:
    laptop.sync()
    inode = (laptop.tree / "run.sh").stat().st_ino
    laptop.items[b"run.sh"] = file("#!/bin/sh\n")
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.stream(b"M\x01" + b"\x00\x06run.sh" + end(manifest(laptop.items)))
        receiver.finish()

        assert receiver.until(b"R").value["placed"] == 0
    assert (laptop.tree / "run.sh").stat().st_ino == inode
    assert not (laptop.tree / "run.sh").stat().st_mode & 0o111


def test_a_copy_takes_its_content_from_another_path(laptop: Laptop) -> None:
    laptop.sync()
    content = laptop.items.pop(b"README")
    new = file("new", executable=True)
    laptop.items |= {b"renamed/README": content, b"one": new, b"two": new}
    records = [
        copy(b"renamed/README", content, b"README"),
        put(b"one", new),
        copy(b"two", new, b"one"),
        delete(b"README"),
        end(manifest(laptop.items)),
    ]
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.stream(b"".join(records))
        receiver.finish()
        receiver.until(b"R")

    assert on_disk(laptop.tree) == laptop.items


def test_names_of_every_kind_arrive_as_they_are(laptop: Laptop) -> None:
    names = [
        b"new\nline", b"quote's \"double\"", b"-rf", b"$HOME `id`", b" leading", b"trailing ", b"\xff\xfe not utf-8",
        "人 é é".encode(), b"a" * 255, b"/".join([b"d" * 200] * 12), b"\x1b[31m", b"back\\slash", b"*", b"..a", b"...",
        b"d/.provision/inner",
    ]  # fmt: skip
    laptop.items |= {name: file(name) for name in names}

    laptop.sync()

    assert on_disk(laptop.tree) == laptop.items
    (laptop.tree / os.fsdecode(b"\xff\xfe not utf-8")).unlink()
    assert laptop.ask()["changed"] == {os.fsdecode(b"\xff\xfe not utf-8"): "missing"}
    laptop.items = {}
    laptop.sync()
    assert on_disk(laptop.tree) == {}


def test_a_path_of_a_thousand_folders_arrives_and_goes(laptop: Laptop) -> None:
    laptop.items[b"/".join([b"d"] * 1900)] = file("deep")

    try:
        assert laptop.sync()["placed"] == len(laptop.items)
        assert laptop.ask()["changed"] == {}
        laptop.items = dict(SOME)
        laptop.sync()

        assert on_disk(laptop.tree) == SOME
    finally:
        # Python's own removal goes no deeper than it recurses.
        subprocess.run(["rm", "-rf", laptop.tree], check=True)


def test_a_deletion_leaves_what_is_not_ours_and_its_folder(laptop: Laptop) -> None:
    laptop.tree.mkdir(parents=True)
    (laptop.tree / "theirs").mkdir()
    (laptop.tree / "kept-empty").mkdir()
    laptop.items[b"theirs/ours"] = file("ours")
    laptop.sync()
    (laptop.tree / "src/deep/checkpoint").write_text("weights")
    laptop.items = {}

    laptop.sync()

    assert on_disk(laptop.tree) == {b"src/deep/checkpoint": file("weights"), b"theirs/": file(), b"kept-empty/": file()}


def test_a_folder_of_ours_goes_with_a_later_sync_when_it_is_empty_at_last(laptop: Laptop) -> None:
    laptop.sync()
    (laptop.tree / "src/deep/checkpoint").write_text("weights")
    laptop.items = {b"README": file("read me")}
    laptop.sync()
    (laptop.tree / "src/deep/checkpoint").unlink()
    laptop.items = {b"README": file("again")}

    laptop.sync()

    assert on_disk(laptop.tree) == laptop.items


def test_a_tree_may_be_reached_through_a_link(laptop: Laptop, tmp_path: Path) -> None:
    real = tmp_path / "disk"
    real.mkdir()
    laptop.tree.parent.parent.joinpath("work").symlink_to(real)

    laptop.sync()

    assert laptop.ask()["tree"] == str(real / "tree")
    assert on_disk(real / "tree") == SOME


def test_a_tree_in_the_home_folder_is_found(laptop: Laptop, tmp_path: Path) -> None:
    laptop.options = {"env": {"HOME": str(tmp_path)}}

    answer = laptop.ask(tree="~/work/x")

    assert answer["tree"] == str(tmp_path / "work" / "x")


@pytest.mark.parametrize("tree", ["~", "/", "relative", "~/../../.."])
def test_no_tree_takes_a_home_or_the_root(laptop: Laptop, tmp_path: Path, tree: str) -> None:
    home = tmp_path / "h"
    home.mkdir()
    laptop.options = {"env": {"HOME": "/x/y" if tree.endswith("..") else str(home)}}

    assert laptop.ask(tree=tree)["kind"] == "refused"


def test_a_damaged_manifest_makes_everything_come_again_and_nothing_is_lost(laptop: Laptop) -> None:
    laptop.sync()
    (laptop.tree / "README").write_text("mine")
    (laptop.tree / ".provision/manifest").write_bytes(b"PVM1 damaged")

    assert laptop.ask()["id"] == ""
    result = laptop.sync()

    assert [path for path, _ in result["kept"]] == ["README"]
    assert result["adopted"] == len(SOME) - 1
    assert on_disk(laptop.tree) == SOME


def test_the_client_learns_the_hash_that_it_sent(laptop: Laptop) -> None:
    """What a manifest says of an entry is what the client's own says."""
    laptop.sync()

    assert (laptop.tree / ".provision/manifest").read_bytes() == manifest(SOME).blob
    assert entry(SOME[b"latest"]).size == len("src/model.py")
