"""The tree that all hosts share: scanned once, read whole, coded once, and never held in memory."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
import zstandard

from provision.errors import InterruptedRunError, StepFailedError, UsageError
from provision.sync.manifest import EXECUTABLE, FILE, LINK
from provision.sync.wire import BIG
from provision.tree import reading, spool
from provision.tree.archive import TreeSource
from provision.tree.listing import scan_tree
from tests.unit.sync.trees import records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.tree.listing import Scan
    from provision.tree.packing import Archive

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src/train.py").write_text("train()\n" * 100)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "latest").symlink_to("src")
    (folder / "empty").touch()
    (folder / "big.bin").write_bytes(b"b" * BIG)
    return folder


@pytest.fixture
def source(project: Path) -> Iterator[TreeSource]:
    made = TreeSource(lambda: scan_tree(project))
    yield made
    made.close()


@pytest.fixture
def first(project: Path) -> Iterator[TreeSource]:
    made = TreeSource(lambda: scan_tree(project), expect_first=True)
    yield made
    made.close()


def content(archive: Archive) -> dict[bytes, tuple[bytes, ...]]:
    """Return what the small files' part of an archive says, by path."""
    coded = b"".join(piece.coded for piece in archive.pieces(1) if piece is not None)
    with zstandard.ZstdDecompressor().stream_reader(coded, read_across_frames=True) as reader:
        stream = reader.read()
    found = {}
    for what, *rest in records(stream):
        path = rest.pop(0) if what == b"L" else rest.pop(1)
        found[path] = (what, *rest)
    return found


def bigs(archive: Archive) -> list[bytes]:
    return [big.path for big in archive.bigs(1) if big is not None]


def test_a_first_upload_reads_every_file_once_and_knows_the_tree_then(
    first: TreeSource, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    real = reading.read

    def counting(scan: Scan, path: bytes, *rest: object, **more: object) -> object:
        read.append(path)
        return real(scan, path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("provision.tree.packing.read", counting)
    archive = first.full_archive()
    assert content(archive) == {
        b"empty": (b"F", bytes([FILE]), b""),
        b"latest": (b"L", b"src"),
        b"run.sh": (b"F", bytes([EXECUTABLE]), b"#!/bin/sh\n"),
        b"src/train.py": (b"F", bytes([FILE]), b"train()\n" * 100),
    }
    assert bigs(archive) == [b"big.bin"]
    assert first.manifest().entries == TreeSource(lambda: scan_tree(project)).manifest().entries
    assert archive.actual == {}
    assert sorted(read) == [b"big.bin", b"empty", b"latest", b"run.sh", b"src/train.py"]


def test_hosts_that_need_the_same_share_one_archive(source: TreeSource, first: TreeSource) -> None:
    assert source.archive([b"run.sh"]) is source.archive((b"run.sh",))
    assert source.archive([b"run.sh"]) is not source.archive([b"empty"])
    assert source.archive([b"run.sh"]) is not source.archive([b"run.sh"], "gzip")
    assert content(source.archive([])) == {}
    assert first.full_archive() is first.full_archive("zstd")


def test_any_number_of_readers_get_the_whole_stream(source: TreeSource) -> None:
    archive = source.full_archive()
    results: list[dict[bytes, tuple[bytes, ...]]] = []
    threads = [threading.Thread(target=lambda: results.append(content(archive))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(results) == 4
    assert all(one == results[0] for one in results)


def test_what_changes_between_the_scan_and_the_sending_is_sent_as_it_is_then(source: TreeSource, project: Path) -> None:
    entries = source.manifest().entries
    (project / "run.sh").write_text("#!/bin/bash\n")
    (project / "empty").unlink()
    (project / "empty").symlink_to("run.sh")
    (project / "latest").unlink()
    (project / "latest").write_text("a file now")
    (project / "src/train.py").unlink()
    archive = source.full_archive()
    assert content(archive) == {
        b"empty": (b"L", b"run.sh"),
        b"latest": (b"F", bytes([FILE]), b"a file now"),
        b"run.sh": (b"F", bytes([EXECUTABLE]), b"#!/bin/bash\n"),
    }
    assert bigs(archive) == [b"big.bin"]
    actual = archive.actual
    assert actual.pop(b"src/train.py") is None
    assert {path: one and one.kind for path, one in actual.items()} == {
        b"empty": LINK,
        b"latest": FILE,
        b"run.sh": EXECUTABLE,
    }
    assert all(actual[path] != entries[path] for path in actual)


@pytest.mark.parametrize("replaced", ["fifo", "folder"])
def test_what_is_no_file_any_more_is_left_out(source: TreeSource, project: Path, replaced: str) -> None:
    source.manifest()
    (project / "run.sh").unlink()
    os.mkfifo(project / "run.sh") if replaced == "fifo" else (project / "run.sh").mkdir()
    archive = source.archive([b"run.sh"])
    assert content(archive) == {}
    assert bigs(archive) == []
    assert archive.actual == {b"run.sh": None}


def test_a_file_that_keeps_changing_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAUSE", 0.01)
    real = os.read

    def growing(fd: int, size: int) -> bytes:
        with open(project / "run.sh", "a") as file:
            file.write("# more\n")
        return real(fd, size)

    monkeypatch.setattr(os, "read", growing)
    scan = scan_tree(project)
    with pytest.raises(StepFailedError, match=r"run\.sh changes while it is read"):
        reading.read(scan, b"run.sh", FILE, known=None, alive=lambda: None)


def test_a_file_that_changes_once_is_read_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAUSE", 0.01)
    scan = scan_tree(project)
    real = os.read
    changed: list[bool] = []

    def once(fd: int, size: int) -> bytes:
        data = real(fd, size)
        if not changed:
            changed.append(True)
            (project / "run.sh").write_text("new")
        return data

    monkeypatch.setattr(os, "read", once)
    found = reading.read(scan, b"run.sh", EXECUTABLE, known=None, alive=lambda: None)
    assert found is not None
    assert found.data == b"new"


def test_what_cannot_be_scanned_is_told_to_every_worker() -> None:
    def refuse() -> Scan:
        raise UsageError("no folder")

    source = TreeSource(refuse)
    for ask in (source.scan, source.manifest, source.full_archive, lambda: source.archive([])):
        with pytest.raises(UsageError, match="no folder"):
            ask()


def test_waiting_for_a_slow_scan_can_be_ended(project: Path) -> None:
    go_on = threading.Event()

    def slow() -> Scan:
        go_on.wait(20)
        return scan_tree(project)

    def stopped() -> None:
        raise InterruptedRunError("stopped")

    source = TreeSource(slow)
    with pytest.raises(InterruptedRunError):
        source.manifest(stopped)
    go_on.set()
    assert source.manifest().entries


def test_a_closed_tree_ends_its_readers(source: TreeSource) -> None:
    archive = source.full_archive()
    source.close()
    with pytest.raises(StepFailedError, match="the run ended"):
        list(archive.pieces(1))
    assert source.renewed() is source.renewed()


def test_a_full_disk_here_is_told_with_what_to_do() -> None:
    one = spool.Spool()
    one._file.close()
    one._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - the spool closes it
    with pytest.raises(StepFailedError, match="no room to prepare") as told:
        one.write(b"x" * spool.PUBLISHED)
    assert "TMPDIR" in (told.value.hint or "")
    one.close()


def test_progress_counts_the_content_that_went_into_what_is_read() -> None:
    one = spool.Spool()
    one.write(b"a" * spool.PUBLISHED, files=2, size=500)
    one.write(b"b", files=1, size=7)
    one.end()
    pieces = [piece for piece in one.pieces(1) if piece is not None]
    assert [(len(piece.coded), piece.files, piece.bytes) for piece in pieces] == [(spool.PUBLISHED + 1, 3, 507)]
    one.close()
