"""A launcher that is killed at any moment: launched again, the command has run once, in a whole snapshot."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.scripts.launch_client import JobHost
from tests.scripts.shells import names
from tests.scripts.sync_client import file

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

FILES = 300
COMMAND = 'echo "$(ls | wc -l)" >>"$HOME/runs"'


@pytest.fixture
def host(tmp_path: Path) -> JobHost:
    home = tmp_path / "home"
    home.mkdir()
    made = JobHost(home)
    made.sync({f"f{number}": file(str(number)) for number in range(FILES)})
    return made


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the launcher with its shell; a supervisor is in a session of its own."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def as_if_never_killed(host: JobHost) -> None:
    """Launch again, and see that all is as after one launch."""
    said = host.launch("sh", "-c", COMMAND)
    assert said["state"]["state"] in {"running", "exited"}
    host.ended()
    assert host.idle()
    assert (host.home / "runs").read_text() == f"{FILES}\n"
    assert names(host.state / "jobs") == {"abcdef"}
    assert names(host.snapshots) == {"abcdef"}
    assert not [one for one in names(host.job()) if one.startswith(".")]


@pytest.mark.parametrize("attempt", range(12 if os.environ.get("PROVISION_SOAK") else 5))
def test_killed_at_random_moments_the_command_runs_once(host: JobHost, attempt: int) -> None:
    moments = random.Random(attempt)
    for _ in range(3):
        process = host.start(host.request("sh", "-c", COMMAND))
        time.sleep(moments.uniform(0.04, 0.35))
        kill(process)
    as_if_never_killed(host)


@pytest.mark.parametrize(
    "before",
    [
        "Snapshot.build",
        "Snapshot.clear",
        "Launch.write_files",
        "Hold.finish",
        "begin",
        "supervisor",
        "started",
        "await_word",
        "leave",
    ],
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_around_each_step_the_command_runs_once(host: JobHost, before: str, after: bool) -> None:
    usual = host.prologue
    die = "os.kill(os.getpid(), signal.SIGKILL)"
    call = "usual(*words)"
    steps = (call, die) if after else (die, call)
    host.prologue += f"usual = {before}\ndef dies(*words):\n    {steps[0]}\n    {steps[1]}\n{before} = dies\n"
    process = host.start(host.request("sh", "-c", COMMAND))
    process.communicate(timeout=60)
    host.prologue = usual
    as_if_never_killed(host)


def test_killed_in_the_middle_of_the_copy_nothing_uses_the_half_of_it(host: JobHost) -> None:
    usual = host.prologue
    host.prologue += """
usual = Copier.copy
copied = []
def dies(*words):
    copied.append(1)
    if len(copied) == 100:
        os.kill(os.getpid(), signal.SIGKILL)
    return usual(*words)
Copier.copy = dies
"""
    host.start(host.request("sh", "-c", COMMAND)).communicate(timeout=60)
    assert names(host.snapshots) == {"abcdef.new"}
    assert len(names(host.snapshots / "abcdef.new")) == 99
    host.prologue = usual
    as_if_never_killed(host)


def test_a_client_that_goes_away_does_not_undo_the_launch(host: JobHost) -> None:
    process = host.start(host.request("sh", "-c", COMMAND))
    for one in (process.stdin, process.stdout, process.stderr):
        assert one is not None
        one.close()
    process.wait(60)
    as_if_never_killed(host)


def test_a_connection_that_is_ended_while_a_job_is_begun_does_not_undo_the_launch(host: JobHost) -> None:
    host.prologue += """
usual = begin
def interrupted(*words):
    for number in (signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)
    return usual(*words)
begin = interrupted
"""
    host.start(host.request("sh", "-c", COMMAND)).communicate(timeout=60)
    host.ended()
    assert (host.home / "runs").read_text() == f"{FILES}\n"


def test_a_forsaken_launch_is_removed_a_day_later_and_a_fresh_one_is_not(host: JobHost) -> None:
    usual = host.prologue
    host.prologue += "def dies(*words):\n    os.kill(os.getpid(), signal.SIGKILL)\nHold.finish = dies\n"
    for job in ("oldold", "newnew"):
        host.start(host.request("true", id=job)).communicate(timeout=60)
    host.prologue = usual
    assert names(host.snapshots) == {"oldold", "newnew"}
    draft = f".oldold.{'1' * 32}"
    os.utime(host.state / "jobs" / draft, (time.time() - 90_000,) * 2)
    process = host.start(host.request("true", keep={"days": 30, "gib": 50}))
    process.communicate(timeout=60)
    assert names(host.state / "jobs") == {"abcdef", f".newnew.{'1' * 32}"}
    assert names(host.snapshots) == {"abcdef", "newnew"}
