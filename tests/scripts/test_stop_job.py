"""Stopping a job ends all of it, and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripts.job_folders import STUCK, Jobs, hold, script, write
from tests.scripts.launch_client import PATIENCE
from tests.scripts.shells import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

STOP = "stop_job.py"
SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
DEAF = script(
    """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("deaf", flush=True)
    time.sleep(600)
    """
)
JOB = "s" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(4)) + "a"
"""Another one in each process: the tests of others run jobs at the same time."""
OTHER = JOB[:-1] + "b"
OLD = "if hasattr(os, 'pidfd_open'):\n    del os.pidfd_open\n\n\n"


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "home")


def stop(jobs: Jobs, prologue: str = "", grace: float | None = 5, job: str = JOB) -> Any:
    return jobs.ask(STOP, prologue, id=job, grace=grace, by="me@laptop")


@contextlib.contextmanager
def process(*command: str, job: str | None = JOB, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that carries the mark of a job."""
    environment = {"PATH": os.environ["PATH"], **variables, **({"PROVISION_JOB": job} if job else {})}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True) as started:
        # Its variables are its own only when the program has begun.
        assert eventually(lambda: b"\0PATH=" in b"\0" + Path(f"/proc/{started.pid}/environ").read_bytes())
        try:
            yield started
        finally:
            started.kill()


def start_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_a_running_job_is_ended_by_its_supervisor(jobs: Jobs) -> None:
    folder = jobs.make(JOB)
    with jobs.supervised(*SLEEP, job=JOB) as supervisor:
        said = stop(jobs)
        assert supervisor.wait(PATIENCE) == 0
    assert (said["was"], said["state"]["state"], said["state"]["reason"]) == ("running", "stopped", "stop")
    assert said["ended"] == 1
    assert json.loads((folder / "stop").read_text()) == {"grace": 5, "by": "me@laptop"}


def test_its_own_grace_holds_where_none_is_asked_for(jobs: Jobs) -> None:
    folder = jobs.make(JOB, grace=3)
    with jobs.supervised(*SLEEP, job=JOB):
        stop(jobs, grace=None)
    assert json.loads((folder / "stop").read_text())["grace"] == 3


def test_it_is_told_each_second_how_many_are_left(jobs: Jobs) -> None:
    jobs.make(JOB)
    slow = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1.5), stop()))"
    with (
        jobs.supervised(*SLEEP, job=JOB, text=slow),
        jobs.start(STOP, {"id": JOB, "grace": 5, "by": "me"}) as talk,
    ):
        kind, payload = talk.message()
        assert (kind, json.loads(payload)) == (b"W", {"left": 1})
        assert talk.last()[1]["state"]["state"] == "stopped"


def test_it_goes_on_when_the_client_goes_away(jobs: Jobs) -> None:
    folder = jobs.make(JOB)
    slow = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1.5), stop()))"
    with process(*DEAF) as left:
        write(folder, "end.json", {"state": "exited", "exit_code": 0})
        assert left.stdout is not None
        left.stdout.readline()
        with jobs.start(STOP, {"id": JOB, "grace": 1, "by": "me"}) as talk:
            assert talk.message()[0] == b"W"
        assert left.wait(PATIENCE) == -signal.SIGKILL
    (folder / "end.json").unlink()
    with jobs.supervised(*SLEEP, job=JOB, text=slow), jobs.start(STOP, {"id": JOB, "grace": 5, "by": "me"}) as talk:
        talk.message()
    assert json.loads((folder / "end.json").read_text())["state"] == "stopped"


def test_a_supervisor_that_hears_nothing_is_ended_and_then_all_that_it_left(jobs: Jobs) -> None:
    jobs.make(JOB)
    with jobs.supervised(*SLEEP, job=JOB, text=STUCK) as supervisor:
        said = stop(jobs, "LATER = 1\n", grace=1)
        assert supervisor.wait(PATIENCE) == -signal.SIGKILL
    assert (said["was"], said["state"]["state"], said["ended"]) == ("running", "lost", 1)


@pytest.mark.parametrize("prologue", ["", OLD], ids=["by-handle", "by-number"])
def test_the_processes_of_a_job_whose_supervisor_is_gone_are_ended(jobs: Jobs, prologue: str) -> None:
    folder = jobs.make(JOB)
    write(folder, "state.json", {"state": "running", "pid": 1, "starttime": 1})
    family = script(
        """
        import os, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env={}, start_new_session=True)
        print(child.pid, flush=True)
        child.wait()
        """
    )
    with process(*SLEEP) as first, process(*DEAF) as deaf, process(*family) as parent:
        assert deaf.stdout is not None
        assert parent.stdout is not None
        deaf.stdout.readline()
        child = int(parent.stdout.readline())
        with process(*SLEEP, job=OTHER) as other, process(*SLEEP, job=None, MY_PROVISION_JOB=JOB) as mine:
            said = stop(jobs, prologue, grace=1)
            assert other.poll() is None
            assert mine.poll() is None
        assert first.wait(PATIENCE) == -signal.SIGTERM
        assert deaf.wait(PATIENCE) == -signal.SIGKILL
        assert parent.wait(PATIENCE) in (0, -signal.SIGTERM)
        assert eventually(lambda: not Path(f"/proc/{child}/environ").exists() or zombie(child))
    assert (said["was"], said["state"]["state"], said["ended"]) == ("lost", "lost", 4)


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_another_process_with_the_number_of_the_supervisor_is_left_alone(jobs: Jobs) -> None:
    folder = jobs.make(JOB)
    with process(*SLEEP, job=None) as innocent, hold(folder):
        started = start_of(innocent.pid) - 1
        write(folder, "state.json", {"state": "running", "pid": innocent.pid, "starttime": started})
        stop(jobs, "LATER = 0\nKILLED = 0.5\n", grace=0.5)
        assert innocent.poll() is None


def test_a_supervisor_without_its_lock_is_not_signalled(jobs: Jobs) -> None:
    folder = jobs.make(JOB)
    with process(*SLEEP, job=None) as innocent:
        started = start_of(innocent.pid)
        write(folder, "state.json", {"state": "running", "pid": innocent.pid, "starttime": started})
        assert stop(jobs)["was"] == "lost"
        assert innocent.poll() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_root_ends_only_processes_of_the_user_of_the_job(jobs: Jobs) -> None:
    jobs.make(JOB, user="nobody", boot_id="another")
    with process(*SLEEP) as roots, process("setpriv", "--reuid=65534", "sleep", "600") as nobodys:
        assert eventually(lambda: Path(f"/proc/{nobodys.pid}").stat().st_uid == 65534)
        assert stop(jobs)["ended"] == 1
        assert nobodys.wait(PATIENCE) == -signal.SIGTERM
        assert roots.poll() is None


def test_a_job_that_has_ended_is_told_as_it_ended(jobs: Jobs) -> None:
    folder = jobs.make_ended(JOB, code=4)
    said = stop(jobs)
    assert (said["was"], said["state"]["exit_code"], said["ended"]) == ("exited", 4, 0)
    assert not (folder / "stop").exists()


def test_a_job_that_waits_is_asked_by_the_file(jobs: Jobs) -> None:
    folder = jobs.make(JOB, uptime=1e12)
    with jobs.start(STOP, {"id": JOB, "grace": 5, "by": "me"}) as talk:
        assert talk.message()[0] == b"W"
        assert (folder / "stop").exists()
        write(folder, "end.json", {"state": "stopped", "reason": "stop", "ended": time.time()})
        kind, said = talk.last()
    assert (kind, said["was"], said["state"]["state"]) == (b"J", "queued", "stopped")


def test_a_full_disk_keeps_no_job_from_being_stopped(jobs: Jobs) -> None:
    folder = jobs.make(JOB, uptime=1e12)
    full = "def write_json(*_):\n    raise OSError(errno.ENOSPC, 'full')\n\n\n"
    with jobs.start(STOP, {"id": JOB, "grace": 5, "by": "me"}, full) as talk:
        assert talk.message()[0] == b"W"
        assert (folder / "stop").read_bytes() == b""
        write(folder, "end.json", {"state": "stopped", "reason": "stop", "ended": time.time()})
        assert talk.last()[0] == b"J"


@pytest.mark.parametrize(
    ("way", "unit", "words"),
    [
        ("user-unit", "provision-job-%s", "--user stop"),
        ("system-unit", "provision-job-%s.service", "stop"),
        ("system-unit", "ssh.service", ""),
        ("session", None, ""),
    ],
)
def test_what_is_left_in_the_unit_of_a_job_is_ended_by_systemd(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, way: str, unit: str | None, words: str
) -> None:
    tools = jobs.home / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$*" >>{jobs.home}/said\n')
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    (jobs.home / "said").touch()
    path = f"os.environ['PATH'] = {str(tools)!r} + ':' + os.environ['PATH']\n"
    jobs.make_ended(JOB, way=way, unit=unit and unit.replace("%s", JOB))
    stop(jobs, path)
    assert (jobs.home / "said").read_text() == (f"{words} provision-job-{JOB}.service\n" if words else "")


def test_unknown_and_damaged_jobs_are_told(jobs: Jobs) -> None:
    assert jobs.refused(STOP, id=JOB, grace=1, by="me")["kind"] == "unknown"
    (jobs.make(JOB) / "job.json").write_text("{")
    assert jobs.refused(STOP, id=JOB, grace=1, by="me")["kind"] == "damaged"
    assert jobs.refused(STOP, id=JOB, grace=-1, by="me")["kind"] == "damaged"
