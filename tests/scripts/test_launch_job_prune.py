"""Pruning: copies and output of jobs that ended go when they are old or too much, and nothing else ever."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripts.launch_client import JobHost
from tests.scripts.shells import names
from tests.scripts.sync_client import file, link

if TYPE_CHECKING:
    from pathlib import Path

OLD = 40 * 86400
KEEP = {"days": 30, "gib": 50}


@pytest.fixture
def host(tmp_path: Path) -> JobHost:
    home = tmp_path / "home"
    home.mkdir()
    made = JobHost(home)
    made.sync({"a": file("x" * 1000), "src/b": file("1"), "src/deep/c": file("2"), "l": link("a")})
    (made.tree / "data").mkdir()
    (made.tree / "data" / "set").write_text("kept")
    return made


def ended(host: JobHost, job: str, command: str = "true", *, ago: float = OLD) -> None:
    """Run a job that ended so many seconds ago."""
    host.launch("sh", "-c", command, id=job)
    host.ended(job)
    assert host.idle()
    told = host.read("end.json", job)
    (host.job(job) / "end.json").write_text(json.dumps({**told, "ended": time.time() - ago}))


def prune(host: JobHost, keep: dict[str, Any] | None = None) -> None:
    """Launch a job that prunes, and wait until the launcher has gone."""
    process = host.start(host.request("true", id="prunes", nonce=f"{time.monotonic_ns():032}", keep=keep or KEEP))
    process.communicate(timeout=60)
    host.ended("prunes")
    assert host.idle()
    subprocess.run(["rm", "-rf", host.job("prunes"), host.snapshots / "prunes"], check=True)


def test_an_old_job_keeps_what_is_known_about_it_and_what_it_made(host: JobHost) -> None:
    ended(
        host, "aaaaaa", "echo said; echo new >model; echo more >>src/b; mkdir src/own; touch src/own/x; ln -s b src/n"
    )
    prune(host)
    top = host.snapshots / "aaaaaa"
    made = sorted(str(one.relative_to(top)) for one in top.rglob("*"))
    assert made == ["model", "src", "src/b", "src/n", "src/own", "src/own/x"]
    assert (top / "src" / "b").read_text() == "1more\n"
    kept = names(host.job("aaaaaa"))
    assert {"job.json", "end.json", "pruned"} <= kept
    assert not {"log", "log.index", "gpu.csv", "reserve", "snapshot.list"} & kept
    assert (host.tree / "data" / "set").read_text() == "kept"
    assert (host.tree / "a").exists()


def test_of_an_old_job_that_made_nothing_no_snapshot_is_left(host: JobHost) -> None:
    ended(host, "aaaaaa")
    prune(host)
    assert not (host.snapshots / "aaaaaa").exists()
    assert (host.tree / "data" / "set").exists()


def test_a_young_job_stays_whole(host: JobHost) -> None:
    ended(host, "aaaaaa", "echo said", ago=29 * 86400)
    before = names(host.snapshots / "aaaaaa")
    prune(host)
    assert names(host.snapshots / "aaaaaa") == before
    assert (host.job("aaaaaa") / "log").read_text() == "said\n"


def test_jobs_that_wait_or_run_are_never_pruned(host: JobHost) -> None:
    host.launch("sleep", "3", id="aaaaaa")
    told = host.read("job.json", "aaaaaa")
    (host.job("aaaaaa") / "job.json").write_text(json.dumps({**told, "submitted": 1.0}))
    before = names(host.snapshots / "aaaaaa")
    prune(host, {"days": 0, "gib": 0})
    assert names(host.snapshots / "aaaaaa") == before
    assert not (host.job("aaaaaa") / "pruned").exists()
    host.ended("aaaaaa")


def test_the_oldest_go_first_until_the_rest_fits(host: JobHost) -> None:
    for number, job in enumerate(("cccccc", "aaaaaa", "bbbbbb")):
        ended(host, job, "head -c 100000 /dev/zero", ago=3000 - number)
    prune(host, {"days": 30, "gib": 150_000 / (1 << 30)})
    assert {one: (host.job(one) / "pruned").exists() for one in ("cccccc", "aaaaaa", "bbbbbb")} == {
        "cccccc": True,
        "aaaaaa": True,
        "bbbbbb": False,
    }
    assert (host.job("bbbbbb") / "size").read_text() == str(100_000 + 1000 + 1 + 1)


def test_what_was_put_in_the_place_of_a_copy_or_a_link_stays(host: JobHost) -> None:
    ended(
        host,
        "aaaaaa",
        "cp -p a t; mv t a; rm l data; ln -s elsewhere l; ln -s elsewhere data; rm src/deep/c; mkdir src/deep/c",
    )
    prune(host)
    top = host.snapshots / "aaaaaa"
    assert (top / "a").read_text() == "x" * 1000
    assert {os.fspath((top / one).readlink()) for one in ("l", "data")} == {"elsewhere"}
    assert (top / "src" / "deep" / "c").is_dir()


def test_no_link_is_followed_to_what_stands_elsewhere(host: JobHost) -> None:
    ended(host, "aaaaaa")
    top = host.snapshots / "aaaaaa"
    elsewhere = host.home / "elsewhere"
    (top / "src").rename(elsewhere)
    (top / "src").symlink_to(elsewhere)
    prune(host)
    assert names(elsewhere) == {"b", "deep"}


def test_a_record_that_names_another_folder_is_not_believed(host: JobHost) -> None:
    ended(host, "aaaaaa")
    top = host.snapshots / "aaaaaa"
    moved = host.home / "aaaaaa"
    top.rename(moved)
    told = host.read("job.json", "aaaaaa")
    (host.job("aaaaaa") / "job.json").write_text(json.dumps({**told, "snapshot": str(moved)}))
    prune(host)
    assert (moved / "a").exists()


def test_a_damaged_job_is_left_and_stops_nothing(host: JobHost) -> None:
    ended(host, "aaaaaa")
    ended(host, "bbbbbb")
    (host.job("bbbbbb") / "job.json").write_text("{")
    prune(host)
    assert (host.job("aaaaaa") / "pruned").exists()
    assert (host.snapshots / "bbbbbb" / "a").exists()


def test_what_one_launch_has_no_time_for_the_next_ones_do(host: JobHost) -> None:
    ended(host, "aaaaaa")
    usual = host.prologue
    host.prologue += """
asked = []
def check_time(deadline):
    asked.append(1)
    if len(asked) > 5:
        raise TimeUpError
"""
    prune(host)
    left = [one for one in (host.snapshots / "aaaaaa").rglob("*") if not one.is_dir() or one.is_symlink()]
    assert 0 < len(left) < 5
    assert (host.job("aaaaaa") / "snapshot.list").exists()
    host.prologue = usual
    prune(host)
    assert not (host.snapshots / "aaaaaa").exists()
