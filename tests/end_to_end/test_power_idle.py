"""A machine that stops itself once it has had no work for a while: real processes, a `shutdown` that only notes it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from provision.remote.command import script_text
from provision.remote.sources import source

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

SHUTDOWN = '#!/bin/sh\necho "$(id -un) $*" >>/var/shutdowns\n'
STATE = "/home/ubuntu/.provision"
JOB = f"""
mkdir -p {STATE}/jobs/abcdef && cd {STATE}/jobs/abcdef
sleep 300 </dev/null >/dev/null 2>&1 & echo $! >pid
sed 's/.*) //' /proc/$!/stat | cut -d ' ' -f 20 >starttime
"""


def box_of(lab: Lab) -> LabHost:
    return lab.host("box", sudo="nopasswd", files=(("/usr/sbin/shutdown", SHUTDOWN, 0o755),))


def arm(box: LabHost, seconds: int) -> str:
    words = (STATE, str(seconds), "sudo", "1", source("idle_watch.sh"))
    done = box.run(["sh", "-c", script_text(source("idle_stop.sh"), words)], user="ubuntu")
    assert done.returncode == 0, done
    return done.stdout.strip()


def watchers(box: LabHost) -> int:
    return int(box.run("ps -e -o args= | grep -c '[i]dle/watch.sh'").stdout)


def shut_down(box: LabHost, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if (box.root / "var/shutdowns").exists():
            return True
        time.sleep(0.1)
    return False


def test_a_machine_without_work_shuts_down_and_one_with_a_job_does_not(lab: Lab) -> None:
    box = box_of(lab)
    box.run(["sh", "-c", JOB], user="ubuntu", check=True)
    assert arm(box, 2) == "armed"
    assert arm(box, 2) == "armed"
    assert watchers(box) == 1
    assert not shut_down(box, 5)
    assert "at work: job abcdef" in (box.root / f"{STATE.lstrip('/')}/idle/log").read_text()
    box.run(f"kill $(cat {STATE}/jobs/abcdef/pid)", check=True)
    assert shut_down(box, 10)
    assert (box.root / "var/shutdowns").read_text() == "root -h now\n"
    assert arm(box, 0) == "disarmed"
    assert watchers(box) == 0


def test_it_is_armed_and_disarmed_by_one_command_and_says_what_it_cannot_know(lab: Lab, laptop: Laptop) -> None:
    box = box_of(lab)
    laptop.hosts([box])
    refused = laptop.type("power", "off", "box", "--when-idle", "30m", "--on-host")
    assert refused.code == 2, refused
    assert "--yes" in refused.err
    answer = laptop.type("power", "off", "box", "--when-idle", "30m", "--on-host", "--yes")
    assert answer.code == 0, answer
    assert "box: stops itself once it was idle for 30m" in answer.out
    assert "whether its provider stops billing then, only that can say" in answer.out
    assert watchers(box) == 1
    answer = laptop.type("power", "off", "box", "--when-idle", "never", "--on-host")
    assert answer.code == 0, answer
    assert watchers(box) == 0


def test_a_login_that_may_not_shut_down_is_told(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box", sudo="none", files=(("/usr/sbin/shutdown", SHUTDOWN, 0o755),))
    laptop.hosts([box])
    answer = laptop.type("power", "off", "box", "--when-idle", "30m", "--on-host", "--yes")
    assert answer.code == 5, answer
    assert "ubuntu may not shut box down" in answer.err
    assert watchers(box) == 0
