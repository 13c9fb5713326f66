"""What a host tells of its jobs, and what the removal of one takes."""

from __future__ import annotations

import base64
import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripts.job_folders import Jobs, end, hold, printed, write
from tests.scripts.shells import names

if TYPE_CHECKING:
    from pathlib import Path

TELL = "tell_jobs.py"


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "home")


def tail(jobs: Jobs, lines: int) -> tuple[list[tuple[int, bytes]], int]:
    """Return the last lines as they are told, and how many bytes were read for that."""
    said = jobs.ask(TELL, what="show", id="abcdef", lines=lines, points=10)
    return [(stream, base64.b64decode(data)) for stream, data in said["tail"]], said["read"]


def test_a_host_without_jobs_has_an_empty_list(jobs: Jobs) -> None:
    jobs.jobs.rmdir()
    said = jobs.ask(TELL, what="list")
    assert said["jobs"] == []
    assert abs(said["now"] - time.time()) < 600
    assert not jobs.jobs.exists()


def test_the_list_has_every_job_in_its_state_and_the_newest_last(jobs: Jobs) -> None:
    now = time.time()
    running = jobs.make("bbbbbb", submitted=now - 30)
    write(running, "state.json", {"state": "running", "started": 5.0, "gpus": ["GPU-1"], "waiting": None})
    printed(running, (0, b"12345"))
    waiting = jobs.make("cccccc", submitted=now - 20)
    write(waiting, "state.json", {"state": "queued", "waiting": {"ahead": 1, "text": "1 job before it"}})
    jobs.make("dddddd", submitted=now - 40)
    jobs.make("eeeeee", submitted=now - 50, boot_id="another")
    jobs.make_ended("ffffff", code=3, submitted=now - 60)
    jobs.make("gggggg", submitted=now - 1, uptime=1e12)
    with hold(running), hold(waiting):
        said = jobs.ask(TELL, what="list")["jobs"]
    assert [(one["job"]["id"], one["state"]["state"], one["log_bytes"]) for one in said] == [
        ("ffffff", "exited", 0),
        ("eeeeee", "lost", 0),
        ("dddddd", "lost", 0),
        ("bbbbbb", "running", 5),
        ("cccccc", "queued", 0),
        ("gggggg", "queued", 0),
    ]
    assert said[0]["state"]["exit_code"] == 3
    assert [one["state"]["reason"] for one in said[1:3]] == ["reboot", "killed"]
    assert said[3]["state"]["gpus"] == ["GPU-1"]
    assert said[3]["state"]["started"] == 5.0
    assert said[4]["state"]["waiting"] == {"ahead": 1, "text": "1 job before it"}


def test_the_lock_of_a_job_that_is_about_to_begin_is_left_alone(jobs: Jobs) -> None:
    jobs.make(uptime=1e12)
    jobs.make_ended("bbbbbb")
    said = jobs.ask(TELL, "def is_locked(path):\n    raise SystemError(path)\n\n\n", what="list")
    assert [one["state"]["state"] for one in said["jobs"]] == ["queued", "exited"]


def test_damaged_jobs_are_told_as_that_and_hide_no_other(jobs: Jobs) -> None:
    jobs.make_ended("zzzzzz")
    (jobs.jobs / "aaaaab").mkdir()
    (jobs.jobs / "aaaaac").write_bytes(b"a file")
    (jobs.jobs / "aaaaad").symlink_to(jobs.folder("zzzzzz"))
    for name, record in {
        "aaaaae": b"",
        "aaaaaf": b"[]",
        "aaaaag": b"\xff\xfe",
        "aaaaah": b"[" * 100_000,
        "aaaaai": json.dumps(jobs.record("zzzzzz")).encode(),
        "aaaaaj": json.dumps({**jobs.record("aaaaaj"), "submitted": "now"}).encode(),
    }.items():
        jobs.folder(name).mkdir()
        (jobs.folder(name) / "job.json").write_bytes(record)
    for name, state in {
        "aaaaak": b"{",
        "aaaaal": b'{"state": 3}',
        "aaaaam": b'{"state": "exited", "ended": []}',
    }.items():
        (jobs.make(name) / "end.json").write_bytes(state)
    (jobs.make("aaaaan") / "job.json").unlink()
    (jobs.folder("aaaaan") / "job.json").mkdir()
    (jobs.jobs / ".abcdef.1111").mkdir()
    (jobs.jobs / "what is this").mkdir()
    said = jobs.ask(TELL, what="list")["jobs"]
    assert {one["id"] for one in said if "damaged" in one} == {f"aaaaa{one}" for one in "bcdefghijklmn"}
    assert all(one["damaged"] for one in said[:-1])
    assert said[-1]["job"]["id"] == "zzzzzz"
    assert jobs.refused(TELL, what="show", id="aaaaaf", lines=1, points=1)["kind"] == "damaged"


def test_five_thousand_jobs_are_listed_and_no_program_is_run_for_it(jobs: Jobs) -> None:
    for number in range(5000):
        job = "a" + "".join("abcdefghij"[int(one)] for one in f"{number:05}")
        jobs.make_ended(job, submitted=float(number))
    no_programs = "def refuse(*_, **__):\n    raise SystemError\n\n\nsubprocess.Popen = os.fork = refuse\n"
    said = jobs.ask(TELL, no_programs, what="list")["jobs"]
    assert [one["job"]["submitted"] for one in said] == list(range(5000))


def test_jobs_that_ended_long_ago_are_only_counted_where_that_is_asked_for(jobs: Jobs) -> None:
    jobs.make_ended("aaaaaa", ended=time.time() - 1000)
    jobs.make_ended("bbbbbb", ended=time.time() - 10)
    jobs.make("cccccc", submitted=time.time() - 2000)
    said = jobs.ask(TELL, what="list", ended_within=100)
    assert ([one["job"]["id"] for one in said["jobs"]], said["old"]) == (["bbbbbb"], 2)


def test_an_unknown_job_is_told_as_that(jobs: Jobs) -> None:
    assert jobs.refused(TELL, what="show", id="abcdef", lines=1, points=1)["kind"] == "unknown"
    assert jobs.refused(TELL, what="remove", id="../../x")["kind"] == "unknown"
    assert jobs.refused(TELL, what="remove", id=3)["kind"] == "protocol"


def test_the_last_lines_come_with_their_streams_and_notes(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    printed(folder, (0, b"one\ntwo\nth"), (1, b"warning\n"), (0, b"ree\n"), (2, b"a gap\n"), (0, b"five"))
    assert tail(jobs, 3)[0] == [(0, b"ree\n"), (2, b"a gap\n"), (0, b"five")]
    assert tail(jobs, 1)[0] == [(0, b"five")]
    assert tail(jobs, 0)[0] == []
    assert tail(jobs, 99)[0] == [(0, b"one\ntwo\nth"), (1, b"warning\n"), (0, b"ree\n"), (2, b"a gap\n"), (0, b"five")]


def test_the_last_lines_of_a_huge_log_are_read_from_its_end(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    with (folder / "log").open("wb") as log:
        log.truncate(1 << 30)
        log.seek(0, os.SEEK_END)
        log.write(b"\n" + b"".join(b"line %d\n" % number for number in range(20_000)))
    found, read = tail(jobs, 100)
    assert found == [(0, b"".join(b"line %d\n" % number for number in range(19_900, 20_000)))]
    assert read < 200_000


def test_of_a_line_without_an_end_only_its_last_part_is_told(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    bar = b"".join(b"\r%9d %%" % number for number in range(9_000_000))
    printed(folder, (0, b"before\n"), (1, bar))
    assert len(bar) > 100_000_000
    found, read = tail(jobs, 1)
    assert found == [(1, bar[-65536:])]
    assert read < 2 << 20
    printed(folder, (1, b"\n"), (0, b"after\n"))
    found, read = tail(jobs, 10)
    assert found == [(1, bar[-65535:]), (1, b"\n"), (0, b"after\n")]
    assert read < 3 << 20


def test_a_long_line_among_others_is_cut_alone(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    printed(folder, (0, b"first\n" + b"x" * 200_000 + b"\nlast\n"))
    assert tail(jobs, 3)[0] == [(0, b"first\n"), (0, b"x" * 65535 + b"\nlast\n")]


@pytest.mark.parametrize("index", [b"", b"\0" * 15, b"\xff" * 48, b"\0" * 8 + b"\0" * 7 + b"\x13", os.urandom(1600)])
def test_with_a_damaged_index_everything_came_over_stdout(jobs: Jobs, index: bytes) -> None:
    folder = jobs.make_ended()
    (folder / "log").write_bytes(b"a\nb\n" * 1000)
    (folder / "log.index").write_bytes(index)
    assert b"".join(data for _, data in tail(jobs, 3)[0]) == b"b\na\nb\n"
    assert {stream for stream, _ in tail(jobs, 3)[0]} == {0}


def test_a_log_without_an_index_came_over_stdout(jobs: Jobs) -> None:
    (jobs.make_ended() / "log").write_bytes(b"a\nb\n")
    assert tail(jobs, 1)[0] == [(0, b"b\n")]


def test_samples_are_thinned_to_what_can_be_drawn(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    lines = [f"{1000 + 5 * n},GPU-a,{0 if n < 750 else 90},{n},81920,{300.5 if n else ''},40" for n in range(1000)]
    lines += ["1000,GPU-b,,,,,", "damaged", "x,GPU-b,1,2,3,4,5", "1005,GPU-b,nan,inf,1,2,3", "6000,GPU-a,9"]
    (folder / "gpu.csv").write_text("\n".join(lines))
    said = jobs.ask(TELL, what="show", id="abcdef", lines=0, points=10)
    assert [len(one) for one in said["samples"]["GPU-a"]] == [6] * 10
    use = [one[1] for one in said["samples"]["GPU-a"]]
    assert (use[:7], use[8:]) == ([0] * 7, [90] * 2)
    assert 40 < use[7] < 50
    assert said["samples"]["GPU-a"][0][3:] == [81920, 300.5, 40]
    assert said["samples"]["GPU-b"] == [[1000, None, None, None, None, None], [1005, None, None, 1, 2, 3]]
    assert said["idle"] == {"GPU-a": 0.75}


def test_what_a_job_made_is_told_apart_from_what_was_copied(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    jobs.copy({"train.py": b"1" * 10, "lib/a.py": b"2" * 20, "lib/b.py": b"3" * 30})
    snapshot = jobs.snapshot()
    (snapshot / "lib" / "a.py").write_bytes(b"4" * 25)
    (snapshot / "out").mkdir()
    (snapshot / "out" / "model.pt").write_bytes(b"5" * 1000)
    (snapshot / os.fsdecode(b"\xff")).write_bytes(b"6")
    (snapshot / "data").symlink_to(jobs.tree)
    with (folder / "snapshot.list").open("ab") as records:
        records.write(b"L 0 0 data\0D 0 0 lib\0")
    printed(folder, (0, b"12345"))
    said = jobs.ask(TELL, what="removal", id="abcdef")
    assert said["made"] == [["\udcff", 1], ["lib/a.py", 25], ["out/model.pt", 1000]]
    assert (said["made_files"], said["made_bytes"], said["log"], said["snapshot"]) == (3, 1026, 5, 1066)
    sizes = jobs.ask(TELL, what="show", id="abcdef", lines=0, points=0)["sizes"]
    assert sizes == {"log": 5, "snapshot": 1066, "made_files": 3, "made_bytes": 1026, "whole": True}


def test_a_removed_job_leaves_nothing_and_takes_nothing_else(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    other = jobs.make_ended("bbbbbb")
    jobs.copy({"train.py": b"1", "lib/a.py": b"2"})
    jobs.copy({"train.py": b"1"}, "bbbbbb")
    outside = jobs.tree / "data"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    snapshot = jobs.snapshot()
    (snapshot / "data").symlink_to(outside)
    (snapshot / "lib" / "data").symlink_to(outside)
    (folder / "data").symlink_to(outside)
    (snapshot / "closed" / "below").mkdir(parents=True)
    (snapshot / "closed" / "below" / "file").write_text("x")
    (snapshot / "closed" / "below").chmod(0o500)
    (snapshot / "closed").chmod(0)
    (snapshot / ".removing-1").write_text("a name as ours")
    assert jobs.ask(TELL, what="remove", id="abcdef") == {"removed": True}
    assert names(jobs.jobs) == {"bbbbbb"}
    assert names(snapshot.parent) == {"bbbbbb"}
    assert (jobs.snapshot("bbbbbb") / "train.py").exists()
    assert (other / "end.json").exists()
    assert (outside / "precious").read_text() == "kept"
    assert jobs.refused(TELL, what="remove", id="abcdef")["kind"] == "unknown"


def test_a_deep_snapshot_is_removed(jobs: Jobs) -> None:
    jobs.make_ended()
    jobs.copy({"train.py": b"1"})
    here = os.open(jobs.snapshot(), os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert jobs.ask(TELL, what="remove", id="abcdef") == {"removed": True}
    assert not jobs.snapshot().exists()


def test_what_a_killed_removal_has_left_goes_with_the_next(jobs: Jobs) -> None:
    jobs.make_ended()
    jobs.make_ended("bbbbbb")
    killed = "os.rename = lambda *_, **__: os._exit(0)\n"
    with jobs.start(TELL, {"what": "remove", "id": "bbbbbb"}, killed) as talk:
        assert talk.process.wait(30) == 0
    jobs.folder("bbbbbb").rename(jobs.jobs / ".removing-bbbbbb-1")
    jobs.ask(TELL, what="remove", id="abcdef")
    assert names(jobs.jobs) == set()


@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_job_that_has_not_ended_is_not_removed(jobs: Jobs, state: str) -> None:
    folder = jobs.make()
    jobs.copy({"train.py": b"1"})
    write(folder, "state.json", {"state": state})
    with hold(folder):
        said = jobs.refused(TELL, what="remove", id="abcdef")
    assert said["kind"] == "running"
    assert (jobs.snapshot() / "train.py").exists()
    assert (folder / "job.json").exists()


def test_a_job_is_not_removed_while_its_supervisor_lives_whatever_its_files_say(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    with hold(folder):
        assert jobs.refused(TELL, what="remove", id="abcdef")["kind"] == "running"
    (folder / "job.json").write_text("damaged")
    with hold(folder):
        assert jobs.refused(TELL, what="remove", id="abcdef")["kind"] == "running"
    jobs.copy({"train.py": b"1"})
    assert jobs.ask(TELL, what="removal", id="abcdef")["made"] == []
    assert jobs.ask(TELL, what="remove", id="abcdef") == {"removed": True}
    assert (jobs.snapshot() / "train.py").exists()


def test_a_snapshot_elsewhere_is_not_removed(jobs: Jobs) -> None:
    precious = jobs.home / "precious"
    precious.mkdir()
    (precious / "file").touch()
    wrong: tuple[dict[str, Any], ...] = (
        {"snapshot": str(precious)},
        {"snapshot": str(jobs.snapshot("other2"))},
        {"snapshot": f"{jobs.tree}/.provision/snapshots/../../../../precious"},
        {"tree": None},
        {"tree": "work/project", "snapshot": "work/project/.provision/snapshots/aaaaae"},
        {"snapshot": 3},
    )
    for number, more in enumerate(wrong):
        job = f"aaaaa{'abcdef'[number]}"
        folder = jobs.make_ended(job, **more)
        assert jobs.refused(TELL, what="remove", id=job)["kind"] == "snapshot"
        assert (folder / "job.json").exists()
        assert jobs.ask(TELL, what="show", id=job, lines=0, points=0)["sizes"]["whole"] is False
    assert (precious / "file").exists()


@pytest.mark.parametrize("link", ["snapshot", "snapshots", ".provision", "job"])
def test_no_link_is_followed_to_what_is_removed(jobs: Jobs, link: str) -> None:
    folder = jobs.make_ended()
    jobs.copy({"train.py": b"1"})
    places: dict[str, Any] = {
        "snapshot": jobs.snapshot(),
        "snapshots": jobs.snapshot().parent,
        ".provision": jobs.tree / ".provision",
        "job": folder,
    }
    real = jobs.home / "elsewhere"
    places[link].rename(real)
    places[link].symlink_to(real)
    assert jobs.refused(TELL, what="remove", id="abcdef")["kind"] in ("snapshot", "refused")
    assert len(list(real.rglob("*"))) > 0
    assert (jobs.snapshot() / "train.py").exists()
    assert (folder / "job.json").exists()


def test_a_job_whose_tree_is_gone_is_removed(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    jobs.tree.rename(jobs.home / "gone")
    end(folder)
    assert jobs.ask(TELL, what="remove", id="abcdef") == {"removed": True}
    assert not folder.exists()
