"""The receiver is killed between any two things that it does, or its disk is full or another one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripts.sync_client import (
    EndedError,
    Laptop,
    end,
    file,
    link,
    manifest,
    on_disk,
    own_names,
    put,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

STRIDE = 1 if os.environ.get("PROVISION_SOAK") else 5
"""Every so many of the receiver's steps, it is killed in front of one."""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the receiver runs on Linux hosts")

# Counts what changes something on the disk, and dies in front of the call of that number.
KILLER = """
import os, signal
calls = [0]
def deadly(real, name):
    def call(*arguments, **named):
        if name != "write" or arguments[0] > 2:
            calls[0] += 1
            if calls[0] == {number}:
                if name == "write":
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    return call
for name in ("rename", "unlink", "rmdir", "mkdir", "fchmod", "symlink", "write", "ftruncate", "fsync"):
    setattr(os, name, deadly(getattr(os, name), name))
"""
OLD = {
    b"edit": file("old"),
    b"gone/deep/file": file("old"),
    b"gone/other": file("old"),
    b"edited-there": file("old"),
    b"deleted-edited": file("old"),
    b"becomes/folder": file("old"),
    b"mode": file("same"),
    b"stays": file("same"),
    b"now-link": file("old"),
}
NEW = {
    b"edit": file("new"),
    b"edited-there": file("new"),
    b"becomes": file("new"),
    b"mode": file("same", executable=True),
    b"stays": file("same"),
    b"now-link": link("stays"),
    b"data/new/sub/one": file("new"),
    b"data/new/two": file("new", executable=True),
    b"gone/deep/left/file": file("new"),
}
FOREIGN = {b"data/foreign": file("foreign"), b"gone/foreign": file("foreign")}
MINE = (b"edited there", b"deleted, edited")


def prepare(tree: Path) -> Laptop:
    """Make a tree of an old sync, with work of the host's user in it."""
    laptop = Laptop(tree, dict(OLD))
    laptop.sync()
    (tree / "data").mkdir(exist_ok=True)
    for path, (_, content) in FOREIGN.items():
        (tree / os.fsdecode(path)).write_bytes(content)
    (tree / "edited-there").write_bytes(MINE[0])
    (tree / "deleted-edited").write_bytes(MINE[1])
    laptop.items = dict(NEW)
    return laptop


def killed(laptop: Laptop, number: int) -> bool:
    """Sync with a receiver that dies before its call of this number; return whether it did."""
    laptop.options["prologue"] = KILLER.format(number=number)
    try:
        with laptop.start() as receiver:
            answer, staged = laptop.opened(receiver)
            receiver.stream(b"".join(laptop.records(answer, staged)))
            receiver.finish()
            receiver.until(b"R")
            code = receiver.ended()
    except EndedError:
        code = receiver.ended()
    finally:
        laptop.options["prologue"] = ""
    assert code in (0, -signal.SIGKILL)
    return code != 0


def check_recovery(laptop: Laptop, view: Path, number: int) -> None:
    """After a mere question the tree is old or new as a whole; after a sync it is new; nobody's work is gone."""
    old = {**OLD, **FOREIGN, b"edited-there": file(MINE[0]), b"deleted-edited": file(MINE[1])}
    new = {**NEW, **FOREIGN}
    answer = laptop.ask()
    there = on_disk(view)
    assert there in (old, new), number
    assert answer["id"] == manifest(OLD if there == old else NEW).id, number
    expected = {"edited-there": "content", "deleted-edited": "content"} if there == old else {}
    assert answer["changed"] == expected, number
    laptop.sync()
    assert on_disk(view) == new, number
    assert own_names(view) == set(), number
    kept = {one.read_bytes() for one in (view / ".provision/kept").rglob("*") if one.is_file()}
    assert kept == set(MINE), number
    assert laptop.ask()["changed"] == {}, number


def test_killed_anywhere_the_tree_is_old_or_new_as_a_whole(tmp_path: Path) -> None:
    prepared = prepare(tmp_path / "prepared")
    number, alive = 1 - STRIDE, False
    while not alive:
        number += STRIDE
        tree = tmp_path / f"tree{number}"
        shutil.copytree(prepared.tree, tree, symlinks=True)
        laptop = Laptop(tree, dict(NEW), base=dict(manifest(OLD).entries))
        alive = not killed(laptop, number)
        check_recovery(laptop, tree, number)
        shutil.rmtree(tree)
    assert number > 60, "the receiver was not killed in each of its steps"


def test_a_roll_forward_that_is_killed_too_is_done_by_the_next(tmp_path: Path) -> None:
    prepared = prepare(tmp_path / "prepared")
    # In front of the first deletion: all of the work is left to the journal.
    first = 1
    while True:
        tree = tmp_path / f"first{first}"
        shutil.copytree(prepared.tree, tree, symlinks=True)
        laptop = Laptop(tree, dict(NEW), base=dict(manifest(OLD).entries))
        assert killed(laptop, first)
        if (tree / ".provision/journal").exists():
            break
        shutil.rmtree(tree)
        first += 1
    number, alive = 1 - STRIDE, False
    while not alive:
        number += STRIDE
        again = tmp_path / f"tree{number}"
        shutil.copytree(tree, again, symlinks=True)
        laptop = Laptop(again, dict(NEW), base=dict(manifest(OLD).entries))
        laptop.options["prologue"] = KILLER.format(number=number)
        with laptop.start() as receiver:
            try:
                receiver.until(b"A")
                receiver.finish()
                alive = True
            except EndedError:
                pass
        laptop.options["prologue"] = ""
        dry = laptop.ask(dry_run=True)
        assert dry["changed"] == {}, number
        check_recovery(laptop, again, number)
        shutil.rmtree(again)
    assert number > 20


@pytest.mark.parametrize("damage", [b"", b"PVM1 and what a bad disk makes of it", manifest(OLD).blob])
def test_a_damaged_list_of_an_interrupted_sync_is_told_once_and_the_next_sync_makes_it_whole(
    tmp_path: Path, damage: bytes
) -> None:
    prepared = prepare(tmp_path / "prepared")
    number, stages = 0, 0
    while True:
        number += 1
        tree = tmp_path / f"tree{number}"
        shutil.copytree(prepared.tree, tree, symlinks=True)
        laptop = Laptop(tree, dict(NEW), base=dict(manifest(OLD).entries))
        if not killed(laptop, number):
            break
        new = tree / ".provision/manifest.new"
        if new.exists() and (tree / ".provision/journal").exists():
            stages += 1
            new.write_bytes(damage)
            assert laptop.ask(dry_run=True)["id"] in (manifest(OLD).id, "")
            error = laptop.ask()
            assert error["kind"] == "io", number
            assert "damaged" in error["message"]
            laptop.sync()
            there = on_disk(tree)
            assert {path: there.get(path) for path in NEW} == NEW, number
            assert own_names(tree) <= {"adopted"}, number
            kept = {one.read_bytes() for one in (tree / ".provision/kept").rglob("*") if one.is_file()}
            assert kept >= set(MINE), number
            assert laptop.ask()["changed"] == {}, number
        shutil.rmtree(tree)
    assert stages > 10


def test_killed_while_it_resumes_nothing_stale_arrives(tmp_path: Path) -> None:
    for number in range(1, 12):
        laptop = Laptop(tmp_path / f"tree{number}", {b"a": file("1"), b"b/c": file("2")})
        with laptop.start() as receiver:
            receiver.until(b"A")
            receiver.stream(put(b"a", file("1")) + put(b"b/c", file("2")) + put(b"z", file("stale")))
            receiver.finish()
            receiver.ended()
        killed(laptop, number)
        laptop.sync()

        assert on_disk(laptop.tree) == laptop.items
        assert own_names(laptop.tree) == set()


class Namespace:
    """A mount namespace of its own that a process holds open."""

    def __init__(self) -> None:
        self.holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", "mount --make-rprivate / && echo ready && exec sleep 600"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.holder.stdout is not None
        self.works = self.holder.stdout.readline() == b"ready\n"

    def run(self, *words: str) -> None:
        subprocess.run([*self.within, *words], check=True)

    @property
    def within(self) -> list[str]:
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--"]

    def view(self, path: Path) -> Path:
        return Path(f"/proc/{self.holder.pid}/root{path}")

    def laptop(self, tree: Path, items: dict[bytes, Any]) -> Laptop:
        return Laptop(tree, dict(items), options={"wrap": self.within})

    def close(self) -> None:
        self.holder.kill()
        self.holder.communicate()


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("only root mounts")
    one = Namespace()
    try:
        if not one.works:
            pytest.skip("no mount namespaces here")
        yield one
    finally:
        one.close()


def mounted(namespace: Namespace, tree: Path, size: str = "8m") -> None:
    namespace.run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", str(tree))


def test_a_mount_inside_the_tree_takes_files_and_gives_them_back(namespace: Namespace, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "data").mkdir(parents=True)
    mounted(namespace, tree / "data")
    items = {b"a": file("1"), b"data/b": file("2", executable=True), b"data/c/d": file("3"), b"data/l": link("b")}
    laptop = namespace.laptop(tree, items)

    assert laptop.sync()["placed"] == 4
    assert on_disk(namespace.view(tree)) == items
    assert on_disk(tree) == {b"a": file("1"), b"data/": file()}
    assert laptop.ask()["changed"] == {}
    (namespace.view(tree) / "data/b").write_text("mine")
    laptop.items = {b"data/b": file("new"), b"data/c": file("a file now")}
    result = laptop.sync()
    assert [path for path, _ in result["kept"]] == ["data/b"]
    assert on_disk(namespace.view(tree)) == laptop.items
    laptop.items = {b"data": file("a file in the place of the mount")}
    assert laptop.sync()["kind"] == "conflict"


def test_killed_anywhere_with_a_mount_in_the_tree(namespace: Namespace, tmp_path: Path) -> None:
    prepared = prepare(tmp_path / "prepared")
    number, alive = 1 - STRIDE, False
    while not alive:
        number += STRIDE
        tree = tmp_path / f"tree{number}"
        shutil.copytree(prepared.tree, tree, symlinks=True)
        (tree / "data/foreign").unlink()
        mounted(namespace, tree / "data")
        view = namespace.view(tree)
        (view / "data/foreign").write_bytes(b"foreign")
        laptop = namespace.laptop(tree, NEW)
        laptop.base = dict(manifest(OLD).entries)
        alive = not killed(laptop, number)
        check_recovery(laptop, view, number)
        namespace.run("umount", str(tree / "data"))
        shutil.rmtree(tree)
    assert number > 60


def test_a_full_disk_leaves_the_old_tree_and_nothing_else(namespace: Namespace, tmp_path: Path) -> None:
    tree = tmp_path / "disk"
    tree.mkdir()
    mounted(namespace, tree, "3m")
    laptop = namespace.laptop(tree, {b"a": file(b"x" * 1_000_000), b"b": file("old")})
    laptop.sync()
    before = laptop.items
    for items in (
        {b"a": file(b"y" * 1_000_000), b"c": file(b"z" * 1_500_000)},
        {b"a": file(b"y" * 1_000_000), b"big": file(b"z" * 5_000_000)},
        {b"d/%d" % number: file(b"y" * 9_000) for number in range(300)},
    ):
        laptop.items = items
        assert laptop.sync()["kind"] == "space"
        assert on_disk(namespace.view(tree)) == before
        assert own_names(namespace.view(tree)) == set()

    laptop.items = {b"b": file("new")}
    laptop.sync()
    assert on_disk(namespace.view(tree)) == laptop.items


def test_a_mount_in_the_tree_without_room_is_noticed_before_anything_moves(
    namespace: Namespace, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    (tree / "data").mkdir(parents=True)
    mounted(namespace, tree / "data", "1m")
    laptop = namespace.laptop(tree, {b"a": file("old"), b"data/b": file("old")})
    laptop.sync()
    before = laptop.items
    laptop.items = {b"a": file("new"), b"data/b": file("new"), b"data/c/d": file(b"x" * 3_000_000)}

    error = laptop.sync()

    assert error["kind"] == "space"
    assert "data" in error["message"]
    assert on_disk(namespace.view(tree)) == before


@pytest.mark.parametrize("same_disk", [False, True])
def test_what_makes_way_on_another_mount_is_copied_before_anything_moves(
    namespace: Namespace, tmp_path: Path, same_disk: bool
) -> None:
    tree = tmp_path / "disk/tree"
    (tmp_path / "disk").mkdir()
    mounted(namespace, tmp_path / "disk", "5m")
    view = namespace.view(tree)
    (view / "data").mkdir(parents=True)
    (view.parent / "volume").mkdir()
    if same_disk:
        namespace.run("mount", "--bind", str(tree.parent / "volume"), str(tree / "data"))
    else:
        mounted(namespace, tree / "data", "20m")
    old = {b"a": file("old"), b"data/b": file("old"), b"data/gone": file("old")}
    laptop = namespace.laptop(tree, old)
    laptop.sync()
    (view / "data/b").write_bytes(b"theirs" * 200_000)
    (view / "data/gone").write_bytes(b"theirs" * 200_000)
    (view / "ballast").write_bytes(bytes(1_500_000 if same_disk else 3_500_000))
    before = on_disk(view)
    laptop.items = {b"a": file("new"), b"data/b": file("new")}

    error = laptop.sync()

    assert error["kind"] == "space"
    assert on_disk(view) == before
    assert own_names(view) == set()
    assert not (view / ".provision/kept").exists()
    (view / "ballast").unlink()
    (view / "data/gone").write_bytes(b"short")
    result = laptop.sync()
    assert [path for path, _ in result["kept"]] == ["data/b", "data/gone"]
    assert {Path(f"/proc/{namespace.holder.pid}/root{where}").stat().st_size for _, where in result["kept"]} == {
        1_200_000,
        5,
    }
    assert on_disk(view) == laptop.items


def test_a_mount_in_the_tree_without_inodes_is_noticed_before_anything_moves(
    namespace: Namespace, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    (tree / "data").mkdir(parents=True)
    namespace.run("mount", "-t", "tmpfs", "-o", "size=8m,mode=755,nr_inodes=8", "none", str(tree / "data"))
    before = {b"a": file("old"), b"data/b": file("old")}
    laptop = namespace.laptop(tree, before)
    laptop.sync()
    laptop.items = {b"a": file("new"), **{b"data/d%d/f" % number: file("new") for number in range(4)}}

    assert laptop.sync()["kind"] == "space"
    assert on_disk(namespace.view(tree)) == before


def test_the_space_that_is_told_is_that_of_the_tree(namespace: Namespace, tmp_path: Path) -> None:
    tree = tmp_path / "disk"
    tree.mkdir()
    mounted(namespace, tree, "3m")

    answer = namespace.laptop(tree, {}).ask(dry_run=True)

    assert 0 < answer["free_bytes"] <= 3 << 20


def test_a_disk_without_room_for_the_journal_leaves_the_old_tree(namespace: Namespace, tmp_path: Path) -> None:
    tree = tmp_path / "disk"
    tree.mkdir()
    mounted(namespace, tree, "1m")
    laptop = namespace.laptop(tree, {b"a": file("old")})
    laptop.sync()
    many = {b"%d" % number: file() for number in range(2000)}
    (namespace.view(tree) / "ballast").write_bytes(bytes(960_000))
    with laptop.start() as receiver:
        receiver.until(b"A")
        records = b"".join(put(path, item) for path, item in sorted(many.items()))
        receiver.stream(records + end(manifest({b"a": file("old"), **many})))
        receiver.finish()
        assert receiver.until(b"E").value["kind"] == "space"

    assert on_disk(namespace.view(tree)).keys() == {b"a", b"ballast"}
    assert own_names(namespace.view(tree)) == set()
