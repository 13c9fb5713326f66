"""A job is ended when that is asked for, when its time is over, or when its host goes down."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripts.job_folders import hold
from tests.scripts.launch_client import PATIENCE
from tests.scripts.shells import eventually
from tests.scripts.supervised_jobs import Job, Site, made_site, script, sleep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""
TIDY = """
import signal, sys, time
def tidy(*_):
    print("saved", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, tidy)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with made_site(tmp_path) as site:
        yield site


def started(site: Site, text: str, says: bytes, **more: Any) -> Job:
    job = site.make(sys.executable, "-c", text, **more)
    job.start()
    assert job.prints(says)
    return job


def test_a_job_may_tidy_up_when_it_is_stopped(site: Site) -> None:
    job = started(site, TIDY, b"ready")
    job.stop()
    assert job.ended() == ("stopped", 3, None, "stop")
    assert job.printed(0) == b"ready\nsaved\n"


def test_a_job_that_does_not_listen_is_killed(site: Site) -> None:
    job = started(site, DEAF, b"deaf")
    job.stop(grace=0.5)
    assert job.ended() == ("stopped", None, "KILL", "stop")


@pytest.mark.parametrize("number", [None, signal.SIGUSR1])
def test_the_request_alone_stops_it(site: Site, number: int | None) -> None:
    job = started(site, TIDY, b"ready")
    job.ask_to_stop()
    if number is not None:
        job.signal(number)
    assert job.ended() == ("stopped", 3, None, "stop")


def test_a_request_without_content_stops_it_by_its_own_grace(site: Site) -> None:
    job = started(site, DEAF, b"deaf", grace=0.5)
    (job.folder / "stop").touch()
    assert job.ended() == ("stopped", None, "KILL", "stop")


def test_who_is_asked_to_look_and_finds_no_request_goes_on(site: Site) -> None:
    job = started(site, TIDY, b"ready")
    job.signal(signal.SIGUSR1)
    assert not eventually(lambda: job.said("end") is not None, 1.5)
    job.stop()


def test_who_asks_again_may_have_it_sooner(site: Site) -> None:
    job = started(site, DEAF, b"deaf")
    job.ask_to_stop(grace=3600)
    job.signal(signal.SIGTERM)
    assert not eventually(lambda: job.said("end") is not None, 1.5)
    job.ask_to_stop(grace=0)
    assert job.ended() == ("stopped", None, "KILL", "stop")


def test_a_flood_of_output_does_not_keep_a_job_alive(site: Site) -> None:
    job = started(site, "import signal\nsignal.signal(15, signal.SIG_IGN)\nwhile True: print('y' * 99)", b"y")
    job.stop(grace=1)
    assert job.ended() == ("stopped", None, "KILL", "stop")


def test_a_job_whose_time_is_over_is_ended(site: Site) -> None:
    job = site.run(sys.executable, "-c", TIDY, max_time=1.5)
    assert job.ended() == ("stopped", 3, None, "max-time")
    assert site.run("true", max_time=600).ended() == ("exited", 0, None, None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_supervisor_that_is_ended_ends_the_job_and_says_that_it_is_lost(site: Site, number: int) -> None:
    job = started(site, TIDY, b"ready")
    job.signal(number)
    assert job.ended() == ("lost", 3, None, "shutdown")


def test_a_stop_that_comes_before_the_command_is_started_lets_it_never_start(site: Site) -> None:
    job = site.make("sh", "-c", "echo ran >ran")
    job.ask_to_stop()
    job.start()
    assert job.ended() == ("stopped", None, None, "stop")
    assert job.wait()["started"] is None
    assert not (site.tree / "ran").exists()


def test_a_job_is_stopped_with_all_that_it_is_starting(site: Site) -> None:
    text = """
        import os, signal, subprocess, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("begin", flush=True)
        while True:
            subprocess.Popen(["sleep", "600"], start_new_session=True)
            time.sleep(0.01)
    """
    job = site.make(*script(text))
    supervisor = job.start()
    assert job.prints(b"begin")
    job.stop(grace=0.3)
    assert supervisor.wait(PATIENCE) == 0
    assert job.ended() == ("stopped", None, "KILL", "stop")


def killed(site: Site) -> Job:
    """Return a job whose supervisor was killed."""
    job = site.make(*sleep())
    supervisor = job.start()
    assert eventually(lambda: job.state()["state"] == "running")
    supervisor.kill()
    supervisor.wait()
    return job


@pytest.mark.parametrize(("result", "reason"), [("signal", "killed"), ("oom-kill", "oom"), ("", "killed")])
def test_systemd_says_how_it_ended_where_the_supervisor_could_not(site: Site, result: str, reason: str) -> None:
    job = killed(site)
    assert job.start("post", SERVICE_RESULT=result).wait(PATIENCE) == 0
    assert job.ended() == ("lost", None, None, reason)
    assert job.wait()["started"] == job.state()["started"]
    assert f"({result or 'nobody knows how'})" in job.wait()["message"]


def test_what_the_supervisor_said_stays(site: Site) -> None:
    job = site.run("sh", "-c", "exit 4")
    assert job.start("post", SERVICE_RESULT="signal").wait(PATIENCE) == 0
    assert job.ended() == ("exited", 4, None, None)


def test_a_service_that_ends_beside_another_supervisor_says_nothing(site: Site) -> None:
    job = killed(site)
    with hold(job.folder):
        assert job.start("post", SERVICE_RESULT="success").wait(PATIENCE) == 0
    assert job.said("end") is None


def test_a_service_that_ended_before_it_began_lets_it_be_begun_again(site: Site) -> None:
    job = site.make("true")
    assert job.start("post", SERVICE_RESULT="exit-code").wait(PATIENCE) == 0
    assert job.said("end") is None
    job.start()
    assert job.ended() == ("exited", 0, None, None)
