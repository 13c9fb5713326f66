"""What no rename moves is found while the tree is the old one; what other people put there stays theirs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scripts.sync_client import Laptop, file
from tests.scripts.test_sync_tree_killed import mounted, namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scripts.test_sync_tree_killed import Namespace

__all__ = ["namespace"]

LOGIN = 4001


@pytest.fixture
def home() -> Iterator[Path]:
    """The home of a login that is not root, where it can be reached."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder, "home")
        home.mkdir()
        os.chown(home, LOGIN, LOGIN)
        yield home


def laptop_of(tree: Path, **items: str) -> Laptop:
    wrap = ["setpriv", f"--reuid={LOGIN}", f"--regid={LOGIN}", "--clear-groups"]
    python = shutil.which("python3", path="/usr/bin:/bin") or "python3"
    laptop = Laptop(tree, {os.fsencode(name): file(content) for name, content in items.items()})
    laptop.options.update(wrap=wrap, python=python)
    return laptop


def journal(tree: Path) -> Path:
    return tree / ".provision/journal"


@pytest.mark.parametrize("lost", [False, True], ids=["known", "list lost"])
def test_what_other_people_put_there_and_a_sync_adopted_is_never_removed(tmp_path: Path, lost: bool) -> None:
    tree = tmp_path / "tree"
    laptop = Laptop(tree, {b"one": file("1")})
    laptop.sync()
    (tree / "theirs").write_text("same")
    laptop.items[b"theirs"] = file("same")
    assert laptop.sync()["adopted"] == 1
    for _ in range(2):
        if lost:
            (tree / ".provision/manifest").unlink()
        laptop.sync()
    del laptop.items[b"theirs"]
    laptop.sync()
    assert (tree / "theirs").read_text() == "same"


def test_a_folder_with_a_file_of_other_people_that_was_adopted_does_not_become_a_file(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    laptop = Laptop(tree, {b"one": file("1"), b"d/x": file("x")})
    laptop.sync()
    (tree / "d/theirs").write_text("same")
    laptop.items[b"d/theirs"] = file("same")
    laptop.sync()
    laptop.items = {b"one": file("2"), b"d": file("a file now")}
    assert laptop.sync()["kind"] == "conflict"
    assert (tree / "one").read_text() == "1"
    assert (tree / "d/theirs").read_text() == "same"
    assert not journal(tree).exists()


def test_a_place_for_what_makes_way_on_another_disk_is_found_before_anything_moves(
    namespace: Namespace, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    laptop = namespace.laptop(tree, {b"one": file("1"), b"two": file("2")})
    laptop.sync()
    (tree / ".provision/kept").mkdir()
    mounted(namespace, tree / ".provision/kept")
    (tree / "one").write_text("mine")
    laptop.items = {b"one": file("new"), b"two": file("new")}
    said = laptop.sync()
    assert said["kind"] == "refused"
    assert said["message"].endswith("/.provision/kept cannot take it: another file system is mounted there")
    assert [(tree / name).read_text() for name in ("one", "two")] == ["mine", "2"]
    assert not journal(tree).exists()


def test_a_place_for_what_makes_way_that_may_not_be_written_is_found_before_anything_moves(home: Path) -> None:
    tree = home / "tree"
    laptop = laptop_of(tree, one="1", two="2")
    laptop.sync()
    kept = tree / ".provision/kept"
    kept.mkdir(mode=0o500)
    os.chown(kept, LOGIN, LOGIN)
    (tree / "one").write_text("mine")
    laptop.items = {b"one": file("new"), b"two": file("new")}
    assert laptop.sync()["kind"] == "refused"
    assert [(tree / name).read_text() for name in ("one", "two")] == ["mine", "2"]
    assert not journal(tree).exists()
    kept.chmod(0o700)
    assert laptop.sync()["kept"]


def test_another_s_file_in_a_sticky_folder_is_found_before_anything_moves(home: Path) -> None:
    tree = home / "tree"
    laptop = laptop_of(tree, one="1")
    laptop.sync()
    (tree / "shared").mkdir()
    (tree / "shared").chmod(0o1777)
    (tree / "shared/f").write_text("theirs")
    laptop.items = {b"one": file("new"), b"shared/f": file("new")}
    said = laptop.sync()
    assert said["kind"] == "refused"
    assert said["message"].startswith("shared/f: this login may not move it away")
    assert [(tree / name).read_text() for name in ("one", "shared/f")] == ["1", "theirs"]
    assert not journal(tree).exists()


@pytest.fixture
def immutable(tmp_path: Path) -> Iterator[Path]:
    """A file in a tree, which may be made immutable."""
    place = tmp_path / "tree/deep/two"
    try:
        yield place
    finally:
        subprocess.run(["chattr", "-i", str(place)], check=False)


@pytest.mark.parametrize("now", ["new", None], ids=["replaced", "removed"])
def test_an_immutable_file_is_found_before_anything_moves(immutable: Path, now: str | None) -> None:
    tree = immutable.parents[1]
    laptop = Laptop(tree, {b"one": file("1"), b"deep/two": file("2")})
    laptop.sync()
    subprocess.run(["chattr", "+i", str(immutable)], check=True)
    laptop.items = {b"one": file("new")} | ({b"deep/two": file(now)} if now else {})
    said = laptop.sync()
    assert said["kind"] == "refused"
    assert said["message"] == "deep/two: this login may not move it away: it is immutable (chattr +i)"
    assert (tree / "one").read_text() == "1"
    assert not journal(tree).exists()


def test_where_a_step_fails_all_the_same_its_whole_path_is_named(immutable: Path) -> None:
    """As where the attribute is set between the last look and the rename."""
    tree = immutable.parents[1]
    laptop = Laptop(tree, {b"one": file("1"), b"deep/two": file("2")})
    laptop.sync()
    subprocess.run(["chattr", "+i", str(immutable)], check=True)
    laptop.items = {b"one": file("new"), b"deep/two": file("new")}
    laptop.options["prologue"] = "import os\nreal = os.access\nos.access = lambda *a, **k: True\n"
    said = laptop.sync()
    assert "between the old and the new one" in said["message"]
    assert "deep/two" in said["message"]
    del laptop.options["prologue"]
    subprocess.run(["chattr", "-i", str(immutable)], check=True)
    laptop.ask()
    assert (immutable.read_text(), (tree / "one").read_text()) == ("new", "new")
