"""The commands that read jobs, on a real host whose jobs a test has written down itself."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.jobs.place import LONGEST, Place, closed, interrupt, made, until
from tests.ssh.reach import inventory
from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

WEEK = 7 * 86400.0
RUN = struct.Struct(">QQ")


class Written:
    """Jobs that are written by hand on a host; nothing runs."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.jobs = place.host.root / place.host.home.lstrip("/") / ".provision/jobs"
        place.on_host("umask 077; mkdir -p ~/.provision/jobs")

    def job(self, job: str, *, end: dict[str, Any] | None = None, log: bytes = b"", **more: Any) -> Path:
        """Write a job down: one that has ended, or that the host's restart has ended."""
        folder = self.jobs / job
        folder.mkdir()
        record = {
            "format": 1,
            "id": job,
            "nonce": "5ec2e7" * 5,
            "name": None,
            "project": "mymodel",
            "command": ["python", "train.py"],
            "cwd": "",
            "in_place": True,
            "tree": f"{self.place.host.home}/work/mymodel",
            "snapshot": None,
            "environment": None,
            "gpus": None,
            "grace": 10,
            "user": self.place.host.user,
            "submitted": time.time() - 3600,
            "boot_id": self.place.host.boot_id if end is not None else "another-boot",
            "uptime": 0.0,
            "way": "session",
            "unit": None,
            **more,
        }
        (folder / "job.json").write_text(json.dumps(record))
        (folder / "alive").touch()
        (folder / "log").write_bytes(log)
        (folder / "log.index").write_bytes(RUN.pack(int((time.time() - 1800) * 1000), 0))
        if end is not None:
            moment = time.time()
            value = {"state": "exited", "exit_code": 0, "started": moment - 60, "ended": moment - 30, **end}
            (folder / "end.json").write_text(json.dumps(value))
        self.place.host.run(["chown", "-R", self.place.host.user, f"{self.place.host.home}/.provision"], check=True)
        return folder


@pytest.fixture
def written(place: Place) -> Written:
    # Its key is recorded, so that nothing is said of it later.
    assert place.desk.type("jobs").code == 0
    return Written(place)


def test_jobs_of_all_hosts_are_listed_and_one_that_is_not_reached_is_told_below(lab: Lab, tmp_path: Path) -> None:
    one, other, gone = lab.host("one"), lab.host("other"), lab.host("gone")
    place = made(Desk(tmp_path / "home"), one)
    inventory(place.desk, one, other, gone)
    Written(place).job("abcdef", end={"exit_code": 3}, name="baseline", submitted=time.time() - 500)
    Written(Place(place.desk, other)).job("bcdefg", submitted=time.time() - 100)
    gone.stop_sshd()
    answer = place.desk.type("jobs")
    assert answer.code == 3, answer
    lines = answer.out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [["abcdef", "baseline", "one"], ["bcdefg", "-", "other"]]
    assert "exited 3" in lines[1]
    assert "lost" in lines[2]
    assert "gone: unreachable" in answer.err
    shown = json.loads(place.desk.type("jobs", "--json").out)
    assert {job["id"]: (job["host"], job["state"]) for job in shown["jobs"]} == {
        "abcdef": ("one", "exited"),
        "bcdefg": ("other", "lost"),
    }
    assert shown["exit_code"] == 3
    assert shown["hosts"]["gone"]["error"]["kind"] == "network"
    assert place.desk.type("jobs", "one").code == 0


def test_what_ended_more_than_a_week_ago_is_shown_when_it_is_asked_for(written: Written) -> None:
    ago = time.time() - WEEK - 3600
    written.job("abcdef", end={"started": ago - 5, "ended": ago}, submitted=ago - 10)
    written.job("bcdefg", end={})
    desk = written.place.desk
    assert "abcdef" not in desk.type("jobs").out
    assert "1 job ended more than a week ago" in desk.type("jobs").out
    assert "abcdef" in desk.type("jobs", "--all").out


def test_a_damaged_job_leaves_the_others_in_the_list(written: Written) -> None:
    written.job("abcdef", end={})
    (written.job("bcdefg", end={}) / "job.json").write_text("{")
    answer = written.place.desk.type("jobs")
    assert answer.code == 0, answer
    assert answer.out.splitlines()[1].startswith("abcdef")
    assert "job bcdefg cannot be read" in answer.out


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        ({"exit_code": 3}, 3, "failed with exit code 3"),
        ({"exit_code": None, "signal": "SEGV"}, 139, "SIGSEGV"),
        ({"state": "stopped", "exit_code": None, "signal": "KILL", "reason": "stop"}, 143, "was stopped"),
        (None, 4, "is lost: the host was restarted"),
    ],
)
def test_following_ends_with_the_job_s_own_code(
    written: Written, end: dict[str, Any] | None, code: int, words: str
) -> None:
    written.job("abcdef", end=end, log=b"one\ntwo\n")
    answer = written.place.desk.type("logs", "-f", "abcdef")
    assert (answer.code, answer.out) == (code, "one\ntwo\n"), answer
    assert words in answer.err
    assert written.place.desk.type("logs", "abcdef").code == 0


def test_what_a_job_printed_comes_byte_for_byte_and_each_stream_where_it_belongs(written: Written) -> None:
    data = os.urandom(300_000)
    folder = written.job("abcdef", end={}, log=data)
    cut = 123_457
    (folder / "log.index").write_bytes(RUN.pack(1, 0) + RUN.pack(2, cut << 2 | 1))
    process = written.place.start("logs", "abcdef")
    out, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 0
    assert out == data[:cut]
    assert err == data[cut:]


def test_a_reader_that_goes_away_is_no_bug(written: Written) -> None:
    written.job("abcdef", end={}, log=b"a line of many\n" * 400_000)
    process = written.place.start("logs", "abcdef")
    assert process.stdout is not None
    assert process.stdout.readline() == b"a line of many\n"
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        told = process.stderr.read().decode()
    assert process.wait(timeout=LONGEST) == 141
    assert told == ""


def test_a_full_disk_here_is_told_in_a_line(written: Written) -> None:
    written.job("abcdef", end={}, log=b"x" * 100_000)
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            written.place.typed("logs", "abcdef"),
            cwd=written.place.project,
            env=written.place.desk.environment,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=LONGEST,
            check=False,
        )
    assert done.returncode == 2, done
    assert b"No space left" in done.stderr
    assert b"bug" not in done.stderr


def test_ctrl_c_while_following_says_how_to_come_back(written: Written) -> None:
    place = written.place
    folder = written.job("abcdef", end=None, boot_id=place.host.boot_id, log=b"one\n")
    place.on_host(f'echo \'{{"state": "running", "started": 1}}\' >{place.folder("abcdef")}/state.json')
    holder = place.host.root / "tmp/held"
    held = f"flock -x {place.folder('abcdef')}/alive sh -c 'touch /tmp/held; exec sleep 60' >/dev/null 2>&1 &"
    place.on_host(held)
    until(holder.exists, "nobody holds the job")
    process = place.start("logs", "-f", "abcdef")
    assert process.stdout is not None
    assert process.stdout.readline() == b"one\n"
    code, _, err = interrupt(process)
    assert code == 130, err
    assert "provision logs -f abcdef" in err
    assert not (folder / "end.json").exists()
    assert place.jobs()["abcdef"]["state"] == "running"


def test_show_draws_the_gpus_and_ends_with_the_log(written: Written) -> None:
    folder = written.job(
        "abcdef", end={"exit_code": 1}, log=b"first\nstep 1\rstep 2\n\x1b]0;owned\x07last\n", name="mine"
    )
    begun = time.time() - 60
    (folder / "gpu.csv").write_text("".join(f"{begun + at},GPU-1,{at // 9 * 50},100,1000,50,40\n" for at in range(10)))
    answer = written.place.desk.type("jobs", "show", "mine")
    assert answer.code == 0, answer
    assert "python train.py" in answer.out
    assert "failed with exit code 1" in answer.out
    assert "GPU-1" in answer.out
    assert "it sat idle for 90% of the run" in answer.out
    assert answer.out.splitlines()[-3:] == ["first", "step 2", "^[]0;ownedlast"]
    shown = json.loads(written.place.desk.type("jobs", "show", "abcdef", "--json").out)
    assert shown["job"]["record"]["command"] == ["python", "train.py"]
    assert len(shown["job"]["samples"]["GPU-1"]) == 10
    assert "5ec2e7" not in json.dumps(shown)


def test_a_job_is_found_on_its_host_by_id_beginning_and_name(written: Written) -> None:
    written.job("abcdef", end={}, log=b"one\n", name="mine")
    written.job("abcxyz", end={}, log=b"two\n")
    desk = written.place.desk
    for word in ("abcdef", "abcd", "mine", "box:abcdef", "box:abcd", "box:mine"):
        assert desk.type("logs", word).out == "one\n", word
    for word, text in (
        ("abc", "2 jobs"),
        ("nobody", "there is no job"),
        ("gone:abcdef", "no host"),
        ("box:", "no job"),
    ):
        answer = desk.type("logs", word)
        assert answer.code == 2, answer
        assert text in answer.err


def test_a_job_that_has_ended_is_told_so_when_it_is_stopped(written: Written) -> None:
    written.job("abcdef", end={"exit_code": 3})
    answer = written.place.desk.type("stop", "abcdef")
    assert answer.code == 0, answer
    assert "had ended" in answer.out
    shown = json.loads(written.place.desk.type("stop", "abcdef", "--json").out)
    assert shown["jobs"] == [{"id": "abcdef", "host": "box", "was": "exited", "state": "exited"}]


def test_a_job_is_removed_after_it_was_asked_for(written: Written) -> None:
    folder = written.job("abcdef", end={})
    with written.place.desk.sit("jobs", "rm", "abcdef") as terminal:
        terminal.expect("remove job abcdef?")
        terminal.answer("")
        assert terminal.end() == 2
    assert folder.exists()
    with written.place.desk.sit("jobs", "rm", "abcdef") as terminal:
        terminal.expect("remove job abcdef?")
        terminal.answer("y")
        assert terminal.end() == 0
    assert not folder.exists()


def test_a_log_is_followed_over_a_cut_link_from_the_byte_where_it_broke(written: Written) -> None:
    place = written.place
    folder = written.job("abcdef", end=None, boot_id=place.host.boot_id)
    place.on_host(f'echo \'{{"state": "running", "started": 1}}\' >{place.folder("abcdef")}/state.json')
    writer = (
        f"cd {place.folder('abcdef')}; for one in $(seq 1 60); do echo line $one >>log; sleep 0.1; done;"
        ' echo \'{"state": "exited", "exit_code": 9, "started": 1, "ended": 2}\' >end; mv end end.json'
    )
    place.on_host(
        f"flock -x {place.folder('abcdef')}/alive sh -c {json.dumps(writer)!s} >/dev/null 2>&1 &".replace("$", r"\$")
    )
    until(lambda: (folder / "log").stat().st_size, "nothing is printed")
    process = place.start("logs", "-f", "--tail", "1000", "abcdef")
    assert process.stdout is not None
    got = process.stdout.readline()
    place.host.reset_connections()
    got += process.stdout.read()
    assert process.wait(timeout=LONGEST) == 9
    closed(process)
    assert got == b"".join(b"line %d\n" % one for one in range(1, 61))


def test_ctrl_c_ends_stopping_before_the_next_job_is_asked_for(written: Written) -> None:
    place = written.place
    folders = []
    for job in ("abcdef", "bcdefg"):
        folders.append(written.job(job, end=None, boot_id=place.host.boot_id))
        place.on_host(f'echo \'{{"state": "running", "started": 1}}\' >{place.folder(job)}/state.json')
        place.on_host(f"flock -x {place.folder(job)}/alive sleep 60 >/dev/null 2>&1 &")
    process = place.start("stop", "abcdef", "bcdefg")
    until((folders[0] / "stop").exists, "it is never asked for")
    code, _, err = interrupt(process)
    assert code == 130, err
    assert not (folders[1] / "stop").exists()
