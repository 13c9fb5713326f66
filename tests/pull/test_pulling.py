"""The real sender on one side, the real writer on the other."""

from __future__ import annotations

import hashlib
import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from provision.errors import StepFailedError, UnreachableError
from tests.pull.near import NearLink

if TYPE_CHECKING:
    from tests.pull.near import Desk

BIG = 24 << 20


def test_a_folder_arrives_with_its_files_links_modes_and_times(desk: Desk) -> None:
    out = desk.there / "out"
    (out / "deep" / "er").mkdir(parents=True)
    (out / "empty").mkdir()
    (out / "deep" / "er" / "a b\n\x1b.txt").write_bytes(b"x" * 300_000)
    (out / "run.sh").write_text("#!/bin/sh\n")
    (out / "run.sh").chmod(0o755)
    os.utime(out / "run.sh", ns=(5, 1_600_000_000_123_456_789))
    (out / "latest").symlink_to("deep/er")
    (out / "away").symlink_to("/etc/passwd")
    os.mkfifo(out / "pipe")
    done = desk.pull("out")
    here = desk.here / "out"
    assert (here / "deep" / "er" / "a b\n\x1b.txt").read_bytes() == b"x" * 300_000
    assert (here / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (here / "run.sh").stat().st_mtime_ns == 1_600_000_000_123_456_789
    assert (here / "empty").is_dir()
    assert (here / "latest").readlink().as_posix() == "deep/er"
    assert set(done.left_out) == {b"out/away", b"out/pipe"}
    assert not (here / "away").is_symlink()
    assert done.refused == {}
    again = desk.pull("out")
    assert (again.tally.files, again.tally.skipped) == (0, 3)


def test_a_file_gets_a_new_name_or_keeps_its_own_as_with_scp(desk: Desk) -> None:
    (desk.there / "a.txt").write_text("a")
    desk.pull("a.txt", "b.txt")
    desk.pull("~/a.txt", "new/")
    desk.pull(str(desk.there / "a.txt"))
    assert {one.relative_to(desk.here).as_posix() for one in desk.here.rglob("*.txt")} == {
        "b.txt",
        "new/a.txt",
        "a.txt",
    }


def test_a_pattern_is_expanded_on_the_host_and_needs_a_folder(desk: Desk) -> None:
    for name in ("a.pt", "b.pt", "c.txt", "[x].pt"):
        (desk.there / name).write_text(name)
    with pytest.raises(StepFailedError, match="no folder"):
        desk.pull("*.pt", "one.pt")
    assert desk.pull("*.pt").tally.files == 3
    assert not (desk.here / "c.txt").exists()
    with pytest.raises(StepFailedError, match="no such file"):
        desk.pull("$(touch pwned)*")


def test_what_differs_here_stays_unless_a_pull_brought_it_or_the_user_says_so(desk: Desk) -> None:
    (desk.there / "a").write_text("theirs")
    (desk.here / "a").write_text("mine")
    assert list(desk.pull("a").refused) == [b"a"]
    assert (desk.here / "a").read_text() == "mine"
    assert desk.pull("a", overwrite=True).tally.replaced == 1
    (desk.there / "a").write_text("theirs, newer")
    assert desk.pull("a").tally.replaced == 1
    assert (desk.here / "a").read_text() == "theirs, newer"
    (desk.here / "a").write_text("mine again")
    assert list(desk.pull("a").refused) == [b"a"]


def test_with_checksum_equal_content_is_left_and_other_content_of_that_size_is_seen(desk: Desk) -> None:
    for name in ("same", "other"):
        (desk.there / name).write_text("1234")
        (desk.here / name).write_text("1234" if name == "same" else "abcd")
    assert desk.pull("same", checksum=True).tally.skipped == 1
    assert list(desk.pull("other", checksum=True).refused) == [b"other"]
    assert desk.pull("other", checksum=True, overwrite=True).tally.files == 1


def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    (desk.there / "a").write_text("1234")
    assert desk.pull("a", "new/", dry_run=True).planned == ((b"a", 4),)
    assert list(desk.here.iterdir()) == []


def test_a_large_file_over_links_that_are_cut_three_times_is_gone_on_with(desk: Desk) -> None:
    data = random.Random(1).randbytes(BIG)
    (desk.there / "w.pt").write_bytes(data)
    link = NearLink(desk.there, cuts=[BIG // 4] * 3)
    done = desk.pull("w.pt", link=link)
    assert link.reconnected == 3
    assert hashlib.sha256((desk.here / "w.pt").read_bytes()).digest() == hashlib.sha256(data).digest()
    # Pieces that were on the way when the link went are sent again, and no more.
    assert done.tally.bytes < BIG + (1 << 20)
    assert [one.name for one in desk.here.iterdir()] == ["w.pt"]


def test_a_later_pull_goes_on_with_the_part_of_a_broken_one_unless_the_file_is_another(desk: Desk) -> None:
    data = random.Random(2).randbytes(BIG)
    file = desk.there / "w.pt"
    file.write_bytes(data)
    for changed in (False, True):
        with pytest.raises(UnreachableError):
            desk.pull("w.pt", link=NearLink(desk.there, cuts=[BIG // 2, *[0] * 20]))
        part = desk.here / ".w.pt.provision-part"
        assert part.stat().st_mode & 0o777 == 0o600
        assert part.stat().st_size > BIG // 4
        if changed:
            file.write_bytes(data[::-1])
        done = desk.pull("w.pt")
        assert (done.tally.resumed_bytes > BIG // 4) is not changed
        assert (desk.here / "w.pt").read_bytes() == file.read_bytes()
        (desk.here / "w.pt").unlink()


def test_a_part_that_was_spoilt_is_thrown_away_and_the_file_fetched_anew(desk: Desk) -> None:
    data = random.Random(3).randbytes(BIG)
    (desk.there / "w.pt").write_bytes(data)
    with pytest.raises(UnreachableError):
        desk.pull("w.pt", link=NearLink(desk.there, cuts=[BIG // 2, *[0] * 20]))
    with (desk.here / ".w.pt.provision-part").open("r+b") as part:
        part.write(b"spoilt")
    assert desk.pull("w.pt").tally.files == 1
    assert (desk.here / "w.pt").read_bytes() == data


def test_nothing_below_dest_is_followed(desk: Desk) -> None:
    (desk.there / "d").mkdir()
    (desk.there / "d" / "a").write_text("a")
    outside = desk.folder / "outside"
    outside.mkdir()
    (desk.here / "d").symlink_to(outside)
    assert list(desk.pull("d").refused) == [b"d"]
    assert list(outside.iterdir()) == []


def test_what_stays_here_is_named_as_dest_was_typed(desk: Desk) -> None:
    (desk.there / "d").mkdir()
    (desk.there / "a").write_text("theirs")
    for name in ("new", "all/d"):
        (desk.here / name).parent.mkdir(exist_ok=True)
        (desk.here / name).write_text("mine")
    assert f"{desk.here}/new here is not the same" in desk.pull("a", "new").refused[b"a"]
    assert f"{desk.here}/all/d here is a file" in desk.pull("d", "all/").refused[b"d"]


def test_of_the_same_size_and_another_time_it_is_said_that_checksum_compares(desk: Desk) -> None:
    for place in (desk.there, desk.here):
        (place / "a").write_text("same")
    os.utime(desk.here / "a", ns=(5, 5))
    why = desk.pull("a").refused[b"a"]
    assert "another time" in why
    assert "--checksum" in why
    assert desk.pull("a", checksum=True).tally.skipped == 1


@pytest.mark.parametrize("checksum", [False, True])
def test_a_dry_run_counts_what_the_pull_counts(desk: Desk, *, checksum: bool) -> None:
    (desk.there / "d" / "empty").mkdir(parents=True)
    for name in ("new", "same", "other"):
        (desk.there / "d" / name).write_text("1234")
    (desk.there / "d" / "link").symlink_to("new")
    (desk.here / "d").mkdir()
    (desk.here / "d" / "same").write_text("1234")
    (desk.here / "d" / "other").write_text("abcd")
    for name in ("same", "other"):
        os.utime(desk.here / "d" / name, ns=(5, 5))
    more: dict[str, Any] = {"checksum": checksum, "overwrite": True}
    before = sorted((one, one.read_bytes()) for one in desk.here.rglob("*") if one.is_file())
    would = desk.pull("d", dry_run=True, **more)
    assert sorted((one, one.read_bytes()) for one in desk.here.rglob("*") if one.is_file()) == before
    assert would.planned is not None
    assert (b"d/same" in dict(would.planned)) is not checksum
    done = desk.pull("d", **more)
    assert would.counts == done.counts == (2 if checksum else 3, 1, 1)
    assert would.tally.skipped == done.tally.skipped == int(checksum)


def test_a_fifo_that_was_named_itself_is_not_pulled_and_one_that_a_pattern_meets_is_left_out(desk: Desk) -> None:
    os.mkfifo(desk.there / "pipe")
    assert "fifo" in desk.pull("~/pipe").refused[b"pipe"]
    done = desk.pull("p*")
    assert (list(done.refused), list(done.left_out)) == ([], [b"pipe"])
