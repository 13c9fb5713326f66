"""Snapshots: copies of what was synced, links to all else, and nothing that is half done."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from tests.lab import controller
from tests.scripts.launch_client import JobHost
from tests.scripts.shells import names
from tests.scripts.sync_client import file, link

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def host(tmp_path: Path) -> JobHost:
    home = tmp_path / "home"
    home.mkdir()
    return JobHost(home)


def snapshot(host: JobHost, job: str = "abcdef") -> Path:
    return host.snapshots / job


def listed(host: JobHost) -> dict[bytes, list[bytes]]:
    records = (host.job() / "snapshot.list").read_bytes().split(b"\0")[:-1]
    return {record.split(b" ", 3)[3]: record.split(b" ", 3)[:3] for record in records}


def test_what_was_synced_is_copied_with_its_rights_and_times_and_the_rest_is_linked(host: JobHost) -> None:
    host.sync({"train.py": file("1"), "src/run.sh": file("2", executable=True), "src/deep/x": file("3" * 400_000)})
    os.utime(host.tree / "train.py", ns=(1, 1_234_567_890_123_456_789))
    (host.tree / "data").mkdir()
    (host.tree / "data" / "set").write_text("big")
    (host.tree / "src" / "deep" / "checkpoint").write_text("there")
    (host.tree / "src" / "cache").mkdir()
    host.launch("true")
    top = snapshot(host)
    assert names(top) == {"train.py", "src", "data"}
    assert (top / "train.py").lstat().st_mtime_ns == 1_234_567_890_123_456_789
    assert (top / "src" / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (top / "src" / "deep" / "x").read_text() == "3" * 400_000
    for copy in ("train.py", "src/run.sh", "src/deep/x"):
        assert stat.S_ISREG((top / copy).lstat().st_mode)
        assert not (top / copy).samefile(host.tree / copy)
    for other in ("data", "src/cache", "src/deep/checkpoint"):
        assert (top / other).readlink() == host.tree / other
    assert not (top / "src").is_symlink()


def test_a_later_sync_does_not_reach_a_job(host: JobHost) -> None:
    host.sync({"train.py": file("first")})
    host.launch("sh", "-c", "while [ ! -e data/go ]; do sleep 0.05; done; cat train.py", persist=["data/"])
    host.sync({"train.py": file("second")})
    (host.tree / "data" / "go").touch()
    assert host.log() == "first"


def test_what_a_job_writes_into_folders_that_persist_is_in_the_tree(host: JobHost) -> None:
    host.sync({"out/kept/seed": file("s"), "out/readme": file("r"), "train.py": file("t")})
    host.launch("sh", "-c", "touch out/kept/a runs/b; touch gone", persist=["out/kept/", "runs"])
    host.ended()
    assert (snapshot(host) / "out" / "kept").readlink() == host.tree / "out" / "kept"
    assert not (snapshot(host) / "out" / "readme").is_symlink()
    assert names(host.tree / "out" / "kept") == {"seed", "a"}
    assert names(host.tree / "runs") == {"b"}
    assert (host.tree / "runs").stat().st_mode & 0o777 == 0o755
    assert not (host.tree / "gone").exists()


def test_a_persisting_folder_that_is_a_file_is_refused(host: JobHost) -> None:
    host.sync({"runs": file("1")})
    assert host.refused("true", persist=["runs"])["kind"] == "refused"


def test_links_lead_where_they_led(host: JobHost) -> None:
    (host.home / "work" / "shared").mkdir()
    (host.home / "work" / "shared" / "x").write_text("outside")
    host.sync(
        {
            "a": file("inside"),
            "src/up": link("../a"),
            "src/out": link("../../shared/x"),
            "round": link("src/../../shared/x"),
            "absolute": link("/etc/hostname"),
            "broken": link("nowhere"),
            "s/b": file("1"),
        }
    )
    host.launch("true")
    top = snapshot(host)
    assert os.fspath((top / "src" / "up").readlink()) == "../a"
    assert (top / "src" / "out").read_text() == (top / "round").read_text() == "outside"
    assert os.fspath((top / "absolute").readlink()) == "/etc/hostname"
    assert os.fspath((top / "broken").readlink()) == "nowhere"


def test_what_was_changed_on_the_host_is_taken_as_it_stands_there(host: JobHost) -> None:
    host.sync({"gone": file("1"), "folder": file("2"), "linked": file("3"), "was/in": file("4"), "edited": file("5")})
    (host.tree / "gone").unlink()
    (host.tree / "folder").unlink()
    (host.tree / "folder").mkdir()
    (host.tree / "linked").unlink()
    (host.tree / "linked").symlink_to("/etc/hostname")
    (host.tree / "was" / "in").unlink()
    (host.tree / "was").rmdir()
    (host.home / "elsewhere").mkdir()
    (host.home / "elsewhere" / "in").write_text("not ours")
    (host.tree / "was").symlink_to(host.home / "elsewhere")
    (host.tree / "edited").write_text("by hand")
    os.mkfifo(host.tree / "pipe")
    host.launch("true")
    top = snapshot(host)
    assert names(top) == {"folder", "linked", "was", "edited", "pipe"}
    assert (top / "folder").readlink() == host.tree / "folder"
    assert os.fspath((top / "linked").readlink()) == "/etc/hostname"
    assert (top / "was").readlink() == host.tree / "was"
    assert (top / "edited").read_text() == "by hand"
    assert (top / "pipe").is_symlink()


def test_names_of_any_bytes_are_copied_and_listed(host: JobHost) -> None:
    odd = os.fsdecode(bytes(range(1, 47)) + bytes(range(48, 200)))
    host.sync({odd: file("1"), f"d {odd[:60]}/x y": file("2")})
    host.launch("true")
    assert {os.fsencode(one.name) for one in snapshot(host).iterdir()} == {
        os.fsencode(odd),
        os.fsencode(f"d {odd[:60]}"),
    }
    known = listed(host)
    found = (snapshot(host) / odd).lstat()
    assert list(map(int, known[os.fsencode(odd)])) == [found.st_size, found.st_mtime_ns, found.st_ino]
    assert known[os.fsencode(f"d {odd[:60]}")] == [b"D", b"0", b"0"]


def test_the_list_says_what_each_copy_was(host: JobHost) -> None:
    host.sync({"a": file("12345"), "d/l": link("../a")})
    (host.tree / "other").write_text("x")
    host.launch("true")
    known = listed(host)
    copy = (snapshot(host) / "a").lstat()
    assert {path: record[0] for path, record in known.items()} == {b"a": b"5", b"d": b"D", b"d/l": b"L", b"other": b"L"}
    assert list(map(int, known[b"a"])) == [5, copy.st_mtime_ns, copy.st_ino]


def test_copies_are_made_where_the_kernel_knows_no_quick_way(host: JobHost) -> None:
    content = os.urandom(3 << 20)
    host.sync({"big": file(content), "empty": file()})
    host.prologue += """
def not_there(*words):
    raise OSError(errno.ENOSYS, "not implemented")
os.copy_file_range = os.sendfile = fcntl.ioctl = not_there
"""
    host.launch("true")
    assert (snapshot(host) / "big").read_bytes() == content
    assert (snapshot(host) / "empty").read_bytes() == b""


def test_a_copy_goes_on_by_another_way_from_where_one_stopped(host: JobHost) -> None:
    content = os.urandom(3 << 20)
    host.sync({"big": file(content)})
    host.prologue += """
asked = []
def some(source, target, count):
    asked.append(count)
    if len(asked) > 2:
        raise OSError(errno.EIO, "no more of this")
    return os.write(target, os.read(source, 300_000))
os.copy_file_range = some
"""
    host.launch("true")
    assert (snapshot(host) / "big").read_bytes() == content


def test_thousands_of_files_are_copied_and_told_of(host: JobHost) -> None:
    host.sync({f"{number % 40}/{number}": file(str(number)) for number in range(4000)})
    host.prologue += """
BETWEEN = 0.0
def from_the_first(self, voice):
    self.voice, self.next = voice, 0
Progress.__init__ = from_the_first
"""
    process = host.start(host.request("true"))
    said, _ = process.communicate(timeout=60)
    assert b'{"files": 4000, "total": 4000}' in said
    assert sum(len(files) for _, _, files in os.walk(snapshot(host))) == 4000


def test_what_an_earlier_launcher_left_unfinished_is_removed(host: JobHost) -> None:
    (host.snapshots / "zzzzzz.new" / "deep").mkdir(parents=True)
    (host.home / "kept").write_text("1")
    (host.snapshots / "zzzzzz.new" / "deep" / "link").symlink_to(host.home)
    host.sync({"a": file("1")})
    host.launch("true")
    assert names(host.snapshots) == {"abcdef"}
    assert (host.home / "kept").exists()


def test_an_own_folder_that_is_a_link_is_not_followed(host: JobHost) -> None:
    (host.home / "elsewhere").mkdir()
    host.snapshots.symlink_to(host.home / "elsewhere")
    assert host.refused("true")["kind"] == "refused"
    assert not names(host.home / "elsewhere")


@pytest.mark.lab
@pytest.mark.parametrize("told", [True, False], ids=["seen before", "seen when it is full"])
def test_a_full_disk_is_told_and_nothing_of_the_copy_is_left(host: JobHost, told: bool) -> None:
    from tests.lab.syscalls import mount, unmount

    reason = controller.why_not()
    if reason is not None:
        pytest.skip(reason)
    (host.tree / ".provision" / "manifest").unlink()
    (host.tree / ".provision").rmdir()
    mount("small", host.tree, "tmpfs", options="size=12m")
    try:
        (host.tree / ".provision").mkdir(mode=0o700)
        host.sync({f"f{number}": file(os.urandom(1 << 20)) for number in range(8)})
        before = os.statvfs(host.tree).f_bavail
        if not told:
            host.prologue += "Snapshot.check_room = lambda self: None\n"
        said = host.refused("true")
        assert said["kind"] == "disk"
        assert f"needs {8 << 20} bytes, and " in said["message"]
        assert not names(host.snapshots)
        assert not any((host.state / "jobs").iterdir())
        assert os.statvfs(host.tree).f_bavail >= before - 2
    finally:
        unmount(host.tree)
