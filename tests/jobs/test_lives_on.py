"""A job outlives what its client, its link and its session die of; its log is whole, byte by byte."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.jobs.place import closed, script, until

if TYPE_CHECKING:
    from tests.faults.conftest import Size
    from tests.jobs.place import Place

pytestmark = [pytest.mark.lab, pytest.mark.systemd, pytest.mark.timeout(600)]

IN_SOAK_EVERYWHERE = pytest.mark.parametrize(
    "any_place", [pytest.param("plain", marks=pytest.mark.soak), "systemd"], indirect=True
)
"""The long ones run on one kind of host, the stricter one; on both in soak."""
EXAMPLE = Path(__file__).resolve().parents[2] / "examples/char-model/train.py"
NOISY = script(
    "import hashlib, os, sys, time",
    "seconds = float(sys.argv[1])",
    "digest, begun, count = hashlib.sha256(), time.time(), 0",
    "while time.time() - begun < seconds:",
    "    data = os.urandom(777) + b'\\r%d\\n' % count",
    "    digest.update(data)",
    "    os.write(1, data)",
    "    count += 1",
    "    time.sleep(0.02)",
    "open('digest', 'w').write(digest.hexdigest())",
    "sys.exit(11)",
)
"""Writes any bytes, and keeps their digest."""


def noisy(place: Place, seconds: float) -> list[str]:
    (place.project / "noisy.py").write_text(NOISY)
    return ["run", "--", "python3", "noisy.py", str(seconds)]


def wanted(place: Place, job: str) -> str:
    """Return the digest of what the job wrote, in its own words."""
    snapshot = place.jobs()[job]["record"]["snapshot"]
    return place.read(f"{snapshot}/digest").decode()


@IN_SOAK_EVERYWHERE
def test_a_cut_link_costs_no_byte_and_no_byte_comes_twice(any_place: Place, size: Size) -> None:
    place = any_place
    process = place.start(*noisy(place, size(8.0, 30.0)))
    gathered: list[bytes] = []

    def gather() -> None:
        assert process.stdout is not None
        while piece := os.read(process.stdout.fileno(), 65536):
            gathered.append(piece)

    reader = threading.Thread(target=gather)
    reader.start()
    until(lambda: gathered, "nothing came")
    place.host.reset_connections()
    time.sleep(2)
    place.host.cut()
    time.sleep(size(3, 20))
    place.host.reset_connections()
    place.host.heal()
    reader.join(timeout=200)
    assert process.wait(timeout=60) == 11
    assert b"the job goes on" in closed(process)
    (job,) = place.jobs()
    assert hashlib.sha256(b"".join(gathered)).hexdigest() == wanted(place, job)


@pytest.mark.parametrize("death", ["the client", "every session", "sshd"])
def test_a_job_goes_on_when_this_dies(any_place: Place, death: str, size: Size) -> None:
    place = any_place
    process = place.start(*noisy(place, size(5.0, 15.0)))
    assert process.stdout is not None
    assert process.stdout.read(100)
    if death == "the client":
        process.kill()
    elif death == "every session":
        place.host.run(["pkill", "-KILL", "-f", "^sshd: ubuntu"])
    else:
        place.host.stop_sshd()
        place.host.run(["pkill", "-KILL", "-f", "^sshd: ubuntu"])
        time.sleep(1)
        place.host.start_sshd()
    if death == "the client":
        process.communicate()
    else:
        process.stdout.read()
        assert process.wait(timeout=120) == 11
        closed(process)
    (job,) = place.jobs()
    told = place.until_state(job, "exited")
    assert told["exit_code"] == 11
    read = place.start("logs", job)
    log = read.communicate(timeout=60)[0]
    assert hashlib.sha256(log).hexdigest() == wanted(place, job)
    assert place.processes_of(job) == []


def test_a_job_goes_on_when_its_session_has_ended(any_place: Place) -> None:
    job = any_place.detached("sleep 5; echo done")
    time.sleep(3)
    told = any_place.until_state(job, "exited")
    assert told["exit_code"] == 0
    expected = "user-unit" if any_place.host.knobs.systemd else "session"
    assert told["record"]["way"] == expected
    assert any_place.desk.type("logs", job).out == "done\n"


def test_after_a_reboot_a_running_job_is_lost_and_one_that_had_ended_is_not(any_place: Place) -> None:
    ended = any_place.detached("exit 4")
    any_place.until_state(ended, "exited")
    running = any_place.detached("sleep 1000")
    any_place.until_state(running, "running")
    any_place.host.reboot()
    states = {job: told["state"] for job, told in any_place.jobs().items()}
    assert states == {ended: "exited", running: "lost"}
    answer = any_place.desk.type("logs", "-f", running)
    assert answer.code == 4, answer


@pytest.mark.parametrize(
    "text",
    [
        "sleep 1000 & sleep 1000",
        "trap '' TERM INT HUP; sleep 1000 & while :; do sleep 1; done",
        "setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' & sleep 1000",
        "(setsid sh -c 'sleep 1000 & exec setsid sleep 1000' &) ; exec env -i sleep 1000",
    ],
    ids=["forked", "ignores TERM", "another session", "detached twice"],
)
def test_a_stopped_job_leaves_no_process_behind(any_place: Place, text: str) -> None:
    before = len(any_place.host.processes())
    job = any_place.detached(text, "--grace", "1s")
    any_place.until_state(job, "running")
    time.sleep(0.5)
    assert any("1000" in one.command or "sleep 1" in one.command for one in any_place.host.processes())
    answer = any_place.desk.type("stop", job)
    assert answer.code == 0, answer
    assert any_place.state(job) == "stopped"
    left = [one.command for one in any_place.host.processes() if "sleep" in one.command]
    assert left == [], (before, left)


@IN_SOAK_EVERYWHERE
def test_the_example_trains_through_a_cut_link_and_the_laptop_s_death(any_place: Place, size: Size) -> None:
    (any_place.project / "train.py").write_bytes(EXAMPLE.read_bytes())
    seconds = size(8, 30)
    process = any_place.start("run", "box", "--", "python3", "train.py", "--seconds", str(seconds))
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"Python ")
    any_place.host.cut()
    time.sleep(size(3, 20))
    any_place.host.heal()
    process.kill()
    process.communicate()
    (job,) = any_place.jobs()
    told = any_place.until_state(job, "exited")
    assert told["exit_code"] == 0
    shown = subprocess.run(
        any_place.typed("logs", job),
        cwd=any_place.project,
        env=any_place.desk.environment,
        capture_output=True,
        check=True,
    )
    both = any_place.read(f"{any_place.folder(job)}/log")
    assert shown.stdout.endswith(b"it has learnt\n")
    assert sorted(shown.stdout + shown.stderr) == sorted(both)
    epochs = [line for line in shown.stdout.splitlines() if line.startswith(b"epoch")]
    assert [int(line.split()[1]) for line in epochs] == list(range(1, len(epochs) + 1))
