"""What the receiver does with what was changed on the host, or was there before."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scripts.sync_client import (
    ORIGIN,
    Laptop,
    Receiver,
    end,
    file,
    link,
    manifest,
    on_disk,
    own_names,
    put,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the receiver runs on Linux hosts")

SOME = {b"a": file("first"), b"d/b": file("second"), b"d/e/c": file("third", executable=True), b"l": link("a")}
OTHERS = {**ORIGIN, "client": "2" * 32, "who": "somebody@desk"}


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    laptop = Laptop(tmp_path / "tree", dict(SOME))
    laptop.sync()
    return laptop


def edit(tree: Path) -> None:
    (tree / "a").write_text("FIRST")


def edit_in_place_with_its_times(tree: Path) -> None:
    before = (tree / "a").stat()
    (tree / "a").write_text("FIRST")
    os.utime(tree / "a", ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "path", "how"),
    [
        (edit, "a", "content"),
        (edit_in_place_with_its_times, "a", "content"),
        (lambda tree: (tree / "a").write_text("longer than it was"), "a", "content"),
        (lambda tree: (tree / "a").unlink(), "a", "missing"),
        (lambda tree: (tree / "a").chmod(0o755), "a", "mode"),
        (lambda tree: (tree / "d/e/c").chmod(0o644), "d/e/c", "mode"),
        (lambda tree: ((tree / "a").unlink(), (tree / "a").mkdir()), "a", "type"),
        (lambda tree: ((tree / "a").unlink(), (tree / "a").symlink_to("l")), "a", "type"),
        (lambda tree: ((tree / "l").unlink(), (tree / "l").symlink_to("d")), "l", "content"),
        (lambda tree: shutil.rmtree(tree / "d/e"), "d/e/c", "missing"),
    ],
)
def test_a_change_on_the_host_is_noticed(laptop: Laptop, change: Callable[[Path], object], path: str, how: str) -> None:
    change(laptop.tree)

    assert laptop.ask()["changed"] == {path: how}
    assert laptop.ask()["changed"] == {path: how}


def test_an_edit_right_after_the_sync_is_noticed(tmp_path: Path) -> None:
    for number in range(12):
        laptop = Laptop(tmp_path / f"tree{number}", {b"a": file("first")})
        with laptop.start() as receiver:
            receiver.until(b"A")
            receiver.stream(put(b"a", file("first")) + end(manifest(laptop.items)))
            receiver.finish()
            receiver.until(b"R")
            edit(laptop.tree)

        assert laptop.ask()["changed"] == {"a": "content"}


def test_what_was_touched_and_not_changed_is_hashed_once_and_then_known(laptop: Laptop) -> None:
    long_ago = time.time() - 3600
    os.utime(laptop.tree / "a", (long_ago, long_ago))
    time.sleep(2.2)  # a hash of something so fresh would not be kept
    stamps = (laptop.tree / ".provision/stamps").read_bytes()

    assert laptop.ask()["changed"] == {}

    assert (laptop.tree / ".provision/stamps").read_bytes() != stamps


def test_without_stamps_everything_is_hashed(laptop: Laptop) -> None:
    edit_in_place_with_its_times(laptop.tree)
    for damage in (b"", b"PVS1 something else"):
        (laptop.tree / ".provision/stamps").write_bytes(damage)
        assert laptop.ask()["changed"] == {"a": "content"}
    assert laptop.ask(rehash=True)["changed"] == {"a": "content"}


def test_what_was_changed_there_is_kept_aside(laptop: Laptop) -> None:
    edit(laptop.tree)
    (laptop.tree / "d/b").write_text("mine as well")
    laptop.items = {b"a": file("new"), b"d": file("d is a file now")}

    result = laptop.sync()

    kept = {path: Path(where).read_text() for path, where in result["kept"]}
    assert kept == {"a": "FIRST", "d/b": "mine as well"}
    assert all(where.startswith(f"{laptop.tree}/.provision/kept/") for _, where in result["kept"])
    assert on_disk(laptop.tree) == laptop.items


def test_what_was_changed_there_to_just_what_comes_is_adopted(laptop: Laptop) -> None:
    edit(laptop.tree)
    inode = (laptop.tree / "a").stat().st_ino
    laptop.items[b"a"] = file("FIRST")

    result = laptop.sync()

    assert (result["kept"], result["adopted"]) == ([], 1)
    assert (laptop.tree / "a").stat().st_ino == inode


def test_what_is_missing_there_comes_again(laptop: Laptop) -> None:
    shutil.rmtree(laptop.tree / "d")
    (laptop.tree / "l").unlink()

    laptop.sync()

    assert on_disk(laptop.tree) == SOME
    assert laptop.ask()["changed"] == {}


def test_a_foreign_file_is_kept_aside_where_a_file_or_a_folder_must_go(laptop: Laptop) -> None:
    (laptop.tree / "n").write_text("foreign")
    (laptop.tree / "m").write_text("foreign too")
    laptop.items |= {b"n": file("ours"), b"m/inner": file("ours")}

    result = laptop.sync()

    assert [path for path, _ in result["kept"]] == ["m", "n"]
    assert on_disk(laptop.tree) == laptop.items


@pytest.mark.parametrize(
    ("there", "comes"),
    [
        (lambda tree: (tree / "n").mkdir(), {b"n": file("ours")}),
        (lambda tree: [(tree / one).mkdir() for one in ("n", "n/deep", "n/deep/er")], {b"n": file("ours")}),
        (lambda tree: (tree / "d/foreign").touch(), {b"d/b": None, b"d/e/c": None, b"d": file("ours")}),
        (lambda tree: (tree / "d/e/foreign").mkdir(), {b"d/b": None, b"d/e/c": None, b"d": file("ours")}),
        (lambda tree: (tree / "n").symlink_to("/etc"), {b"n/passwd": file("ours")}),
        (lambda tree: (tree / "n").symlink_to("/no/such"), {b"n/passwd": file("ours")}),
        (lambda tree: os.mkfifo(tree / "n"), {b"n": file("ours")}),
        (lambda tree: os.mkfifo(tree / "n"), {b"n/x": file("ours")}),
    ],
)
def test_a_conflict_is_refused_and_the_tree_stays_as_it_was(
    laptop: Laptop, there: Callable[[Path], object], comes: dict[bytes, tuple[int, bytes] | None]
) -> None:
    there(laptop.tree)
    before = sorted(laptop.tree.glob("**/*"))
    laptop.items = {path: item for path, item in {**laptop.items, **comes}.items() if item is not None}

    error = laptop.sync()

    assert error["kind"] == "conflict"
    outside = [one for one in sorted(laptop.tree.glob("**/*")) if ".provision" not in one.parts]
    assert outside == [one for one in before if ".provision" not in one.parts]
    assert laptop.ask()["id"] == manifest(SOME).id


def test_a_link_in_the_place_of_a_folder_is_never_written_through(laptop: Laptop, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (laptop.tree / "d").rename(outside)
    (laptop.tree / "d").symlink_to(outside)

    assert laptop.ask()["changed"] == {"d/b": "type", "d/e/c": "type"}
    laptop.items[b"d/b"] = file("changed")
    assert laptop.sync()["kind"] == "conflict"
    laptop.items = {b"a": file("first")}
    laptop.sync()

    assert on_disk(outside) == {b"b": file("second"), b"e/c": file("third", executable=True)}


def test_a_tree_of_somebody_else_is_refused_unless_taken_over(laptop: Laptop) -> None:
    laptop.items[b"a"] = file("theirs")

    error = laptop.sync(origin=OTHERS)
    assert error["kind"] == "owner"
    assert "me@laptop" in error["message"]
    assert "/home/me/project" in error["message"]
    assert on_disk(laptop.tree) == SOME

    laptop.sync(origin=OTHERS, take_over=True)
    assert on_disk(laptop.tree) == laptop.items
    assert laptop.ask()["owner"]["who"] == "somebody@desk"


def lose(own: Path) -> None:
    (own / "manifest").unlink()


def spoil(own: Path) -> None:
    (own / "manifest").write_bytes(b"PVM1 and what a bad disk makes of it")


def twist(own: Path) -> None:
    """Change a name in it: it can still be read."""
    whole = (own / "manifest").read_bytes()
    (own / "manifest").write_bytes(whole.replace(b"d/e/c", b"../../"[:5], 1))


@pytest.mark.parametrize("damage", [lose, spoil, twist])
def test_where_the_list_is_lost_our_own_tree_goes_on_without_taking_over(
    laptop: Laptop, damage: Callable[[Path], None]
) -> None:
    edit(laptop.tree)
    damage(laptop.tree / ".provision")
    laptop.items[b"n"] = file("new")

    answer = laptop.ask()
    assert (answer["id"], answer["recovering"]) == ("", True)
    assert laptop.ask(origin=OTHERS)["recovering"] is False
    result = laptop.sync()

    assert ([path for path, _ in result["kept"]], result["adopted"]) == (["a"], 3)
    assert on_disk(laptop.tree) == laptop.items
    assert laptop.ask()["recovering"] is False
    # They are what syncs put there, and go when they are removed here.
    laptop.items = {b"n": file("new")}
    laptop.sync()
    assert on_disk(laptop.tree) == laptop.items


def test_a_tree_that_no_sync_made_is_not_taken_for_one_that_lost_its_list(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("foreign")

    assert Laptop(tree, dict(SOME)).ask()["recovering"] is False


def test_a_file_in_the_place_of_what_is_kept_is_refused_while_the_tree_is_the_old_one(laptop: Laptop) -> None:
    edit(laptop.tree)
    (laptop.tree / ".provision/kept").touch()
    laptop.items[b"a"] = file("new")

    assert laptop.sync()["kind"] == "refused"
    assert (laptop.tree / "a").read_text() == "FIRST"


def test_the_place_of_what_was_kept_is_told_for_every_path_that_a_tree_can_have(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = b"/".join([b"x" * 200] * 20)[:4000]
    laptop.items = {path: file("old")}
    laptop.sync()
    folder = os.open(laptop.tree, os.O_RDONLY)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC, dir_fd=folder)
    finally:
        os.close(folder)
    os.write(fd, b"edited there")
    os.close(fd)
    laptop.items = {path: file("new")}

    ((told, where),) = laptop.sync()["kept"]

    assert told == os.fsdecode(path)
    assert Path(where).is_dir()
    monkeypatch.chdir(where)
    assert Path(told).read_text() == "edited there"


def test_nothing_is_left_of_what_was_made_to_keep_something_where_it_fails(laptop: Laptop) -> None:
    edit(laptop.tree)
    laptop.items |= {b"a": file("new"), b"d/b": file("new")}
    (laptop.tree / "d/b").unlink()
    os.mkfifo(laptop.tree / "d/b")

    assert laptop.sync()["kind"] == "conflict"

    assert not (laptop.tree / ".provision/staging/kept").exists()
    assert not list((laptop.tree / ".provision").glob("kept/*"))


@dataclass
class Shared:
    """A folder that every login can write, and a login that is neither root nor in a container of its own."""

    folder: Path

    def laptop(self, tree: Path) -> Laptop:
        login = ["setpriv", "--reuid=4001", "--regid=4001", "--clear-groups"]
        return Laptop(tree, dict(SOME), options={"wrap": login, "env": {"HOME": "/nonexistent"}})

    def home(self, uid: int) -> Path:
        home = self.folder / f"home{uid}"
        home.mkdir()
        os.chown(home, uid, uid)
        return home


@pytest.fixture
def shared() -> Iterator[Shared]:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root is several logins")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        one = Shared(Path(folder))
        one.folder.chmod(0o755)
        (one.folder / "data").mkdir()
        (one.folder / "data").chmod(0o1777)
        yield one


@pytest.mark.parametrize("name", ["data/tree", "data/work/tree", "way/tree"])
@pytest.mark.parametrize(("owner", "kind"), [(4002, "refused"), (4001, None), (0, None)])
def test_a_link_of_another_login_in_a_folder_for_all_leads_no_tree_anywhere(
    shared: Shared, name: str, owner: int, kind: str | None
) -> None:
    mine = shared.home(4001)
    (shared.folder / "way").symlink_to("data/second")
    link_at = {"data/tree": "data/tree", "data/work/tree": "data/work", "way/tree": "data/second"}[name]
    (shared.folder / link_at).symlink_to(mine)
    os.chown(shared.folder / link_at, owner, owner, follow_symlinks=False)

    said = shared.laptop(shared.folder / name).sync()

    assert said.get("kind") == kind, said
    if kind:
        assert str(shared.folder / link_at) in said["message"]
        assert not list(mine.iterdir())
    else:
        assert on_disk(mine if name == "data/tree" else mine / "tree") == SOME


def test_a_link_in_a_folder_of_its_owner_is_followed_as_that_folder_was_chosen(shared: Shared) -> None:
    mine, theirs = shared.home(4001), shared.home(4002)
    theirs.chmod(0o777)
    (theirs / "tree").symlink_to(mine)
    os.chown(theirs / "tree", 4002, 4002, follow_symlinks=False)

    assert "kind" not in shared.laptop(theirs / "tree").sync()
    assert on_disk(mine) == SOME


def test_a_folder_of_another_login_in_a_folder_for_all_holds_no_tree(shared: Shared) -> None:
    theirs = shared.folder / "data/theirs"
    theirs.mkdir()
    theirs.chmod(0o777)
    os.chown(theirs, 4002, 4002)

    assert shared.laptop(theirs / "tree").sync()["kind"] == "refused"
    assert not list(theirs.iterdir())


def test_without_a_record_nothing_makes_way_unless_taken_over(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "d").mkdir(parents=True)
    (tree / "a").write_text("foreign")
    (tree / "d/b").write_text("second")
    laptop = Laptop(tree, dict(SOME))

    error = laptop.sync()
    assert error["kind"] == "owner"
    assert on_disk(tree) == {b"a": file("foreign"), b"d/b": file("second")}

    result = laptop.sync(take_over=True)
    assert [path for path, _ in result["kept"]] == ["a"]
    assert result["adopted"] == 1
    assert on_disk(tree) == SOME


def test_what_is_equal_already_is_adopted_without_a_record(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("first")
    (tree / "foreign").write_text("stays")
    laptop = Laptop(tree, dict(SOME))

    assert laptop.sync()["adopted"] == 1
    assert on_disk(tree) == {**SOME, b"foreign": file("stays")}


def test_a_second_receiver_is_told_who_holds_the_tree(laptop: Laptop) -> None:
    with laptop.start() as first:
        first.until(b"A")

        error = laptop.ask()
        assert error["kind"] == "busy"
        assert "me@laptop" in error["message"]
        assert str(first.process.pid) in error["message"]
        second = Receiver(laptop.request(wait=30))
        first.send(b"Q")
        assert first.ended() == 0
        assert second.until(b"A").value["changed"] == {}
        second.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
@pytest.mark.parametrize("what", ["", ".provision"])
def test_a_folder_of_another_user_is_refused(laptop: Laptop, what: str) -> None:
    os.chown(laptop.tree / what, 12345, 12345)

    assert laptop.ask()["kind"] == "refused"


@pytest.mark.parametrize("what", [lambda path: path.symlink_to("/tmp"), lambda path: path.touch()])
def test_a_folder_of_our_own_that_is_something_else_is_refused(tmp_path: Path, what: Callable[[Path], object]) -> None:
    (tmp_path / "tree").mkdir()
    what(tmp_path / "tree/.provision")

    assert Laptop(tmp_path / "tree").ask()["kind"] == "refused"


def test_a_socket_in_the_tree_is_left_alone(laptop: Laptop) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(laptop.tree / "d/s"))
        laptop.items = {}

        laptop.sync()

    assert (laptop.tree / "d/s").is_socket()
    assert own_names(laptop.tree) == set()
