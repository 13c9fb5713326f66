"""Generations and caches are removed, with their pieces and as the host's Python runs them, on folders made here."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from provision.environment.collected import collected_of
from provision.environment.generations_kept import environments_of
from provision.remote.sources import source
from tests.scripts.job_folders import Jobs, end, hold, write
from tests.scripts.shells import names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD, NEW = "1-0123abcd", "2-89abcdef"
DAY = 86_400


@dataclass
class State:
    """A state folder with an environment of two generations, the second one current."""

    folder: Path

    def __post_init__(self) -> None:
        self.base.mkdir(parents=True)
        for name in (OLD, NEW):
            self.generation(name)
        (self.base / "current").symlink_to(self.base / NEW)

    @property
    def base(self) -> Path:
        return self.folder / "envs/mymodel/mymodel"

    def generation(self, name: str, *packages: str) -> Path:
        """Make a complete generation of these conda packages."""
        prefix = self.base / name
        (prefix / "conda-meta").mkdir(parents=True)
        (prefix / "lib").mkdir()
        (prefix / "lib/module.py").write_bytes(b"x" * 8192)
        for one in packages:
            said = {"fn": f"{one}.conda", "extracted_package_dir": f"/elsewhere/pkgs/{one}", "link": {"source": "/x"}}
            (prefix / "conda-meta" / f"{one}.json").write_text(json.dumps(said))
        (prefix / ".provision-generation.json").write_text(json.dumps({"format": 1, "built": 5, "digest": "d"}))
        return prefix

    def cached(self, *packages: str) -> None:
        """Put archives and what was unpacked of them into conda's cache and our own."""
        for one in packages:
            info = self.folder / "pkgs" / one / "info"
            info.mkdir(parents=True)
            (info / "index.json").write_text("{}")
            (self.folder / "pkgs" / f"{one}.conda").write_bytes(b"x" * 4096)
            channel = self.folder / "cache/channels/0/linux-64"
            channel.mkdir(parents=True, exist_ok=True)
            (channel / f"{one}.conda").write_bytes(b"x" * 4096)

    def start(self, script: str, *words: str, prologue: str = "") -> subprocess.Popen[bytes]:
        """Run a script as the host does, with its pieces in front; `prologue` is run when all is defined."""
        head, last, tail = source(script).rpartition("main()\n")
        text = head + prologue + last + tail
        return subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", text, str(self.folder), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"]},
        )

    def ask(self, script: str, *words: str, prologue: str = "") -> Any:
        process = self.start(script, *words, prologue=prologue)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        return json.loads(out)

    def collect(self, *generations: str, do: bool = True, prologue: str = "") -> Any:
        return self.ask("collect_environments.py", self.request(*generations, do=do), prologue=prologue)

    @staticmethod
    def request(*generations: str, do: bool = True) -> str:
        remove = [["mymodel", "mymodel", one] for one in generations]
        return json.dumps({"remove": remove, "do": do, "days": 30})

    def there(self) -> set[str]:
        return {one for one in names(self.base) if one != "current"}

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Be a detached step at work."""
        with (self.folder / "step.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "a state 'dir' $HOME")


def reasons(said: Any) -> list[tuple[str, str]]:
    return [(one.generation, one.why) for one in collected_of(said).stays]


def test_a_generation_that_nothing_needs_goes_with_the_room_that_it_gives(state: State) -> None:
    told = collected_of(state.collect(OLD))
    assert state.there() == {NEW}
    assert told.generations == (str(state.base / OLD),)
    assert told.freed >= 8192
    assert (told.failed, told.stays) == ((), ())
    assert names(state.folder / ".removing") == set()


def test_only_telling_removes_nothing_and_says_the_same(state: State) -> None:
    before = collected_of(state.collect(OLD, do=False))
    assert state.there() == {OLD, NEW}
    assert not (state.folder / ".removing").exists()
    assert collected_of(state.collect(OLD)) == before


def test_the_current_one_stays_whatever_is_asked_for(state: State) -> None:
    assert reasons(state.collect(OLD, NEW)) == [(NEW, "it is current")]
    assert state.there() == {NEW}


@pytest.mark.parametrize("name", ["../../../etc", "current", "", ".", "9-ffffffff", "1-0123abcd/lib"])
def test_what_is_no_generation_is_not_removed(state: State, name: str) -> None:
    told = collected_of(state.collect(name))
    assert told.empty
    assert state.there() == {OLD, NEW}


def test_a_generation_that_is_a_link_is_left_alone_with_what_it_leads_to(state: State) -> None:
    real = state.folder / "precious"
    (state.base / OLD).rename(real)
    (state.base / OLD).symlink_to(real)
    assert collected_of(state.collect(OLD)).empty
    assert (real / "lib/module.py").exists()


@pytest.mark.parametrize("job_state", ["running", "queued"])
def test_a_job_that_has_not_ended_holds_its_generation(state: State, tmp_path: Path, job_state: str) -> None:
    jobs = Jobs(tmp_path)
    (tmp_path / ".provision/jobs").rename(state.folder / "jobs")
    jobs = _At(tmp_path, state.folder / "jobs")
    folder = jobs.make(environment={"prefix": str(state.base / OLD)})
    write(folder, "state.json", {"state": job_state, "started": 5.0, "gpus": [], "waiting": None})
    with hold(folder):
        assert reasons(state.collect(OLD)) == [(OLD, "job abcdef")]
        assert state.there() == {OLD, NEW}
    end(folder)
    assert reasons(state.collect(OLD)) == []
    assert state.there() == {NEW}


class _At(Jobs):
    """Jobs in a state folder of another name."""

    def __init__(self, home: Path, jobs: Path) -> None:
        self._jobs = jobs
        self.home, self.shell = home, "sh"

    @property
    def jobs(self) -> Path:
        return self._jobs


def test_a_damaged_record_of_a_job_holds_nothing_and_stops_nothing(state: State) -> None:
    folder = state.folder / "jobs/abcdef"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text("{")
    assert reasons(state.collect(OLD)) == []
    assert state.there() == {NEW}


def test_a_process_that_stands_in_a_generation_holds_it(state: State) -> None:
    process = subprocess.Popen(["sleep", "60"], cwd=state.base / OLD / "lib")
    try:
        assert reasons(state.collect(OLD)) == [(OLD, f"process {process.pid}")]
        told = state.ask("tell_environments.py")
        (environment,) = environments_of(told)
        assert {one.name: one.used_by for one in environment.generations}[OLD] == (f"process {process.pid}",)
    finally:
        process.kill()
        process.wait()
    assert state.there() == {OLD, NEW}
    state.collect(OLD)
    assert state.there() == {NEW}


@pytest.mark.parametrize("do", [True, False])
def test_while_a_step_is_at_work_nothing_is_removed(state: State, do: bool) -> None:
    with state.step():
        assert state.collect(OLD, do=do) == {"format": 1, "busy": True}
        assert state.ask("tell_environments.py")["busy"] is True
    assert state.there() == {OLD, NEW}
    assert state.collect(OLD, do=do)["busy"] is False


def test_no_step_begins_while_things_are_removed(state: State) -> None:
    slow = "delete = lambda path: (sys.stdin.close(), time.sleep(60))\n"
    process = state.start("collect_environments.py", state.request(OLD), prologue=slow)
    try:
        deadline = time.monotonic() + 30
        while (state.base / OLD).exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert state.collect(OLD) == {"format": 1, "busy": True}
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert state.collect()["counts"]["leftovers"] == 1


@pytest.mark.parametrize("killed", ["os.rename = ", "shutil.rmtree = ", "os.unlink = "])
def test_a_kill_in_the_middle_leaves_nothing_half_and_the_next_run_goes_on(state: State, killed: str) -> None:
    state.cached("numpy-1-0")
    process = state.start(
        "collect_environments.py", state.request(OLD), prologue=f"{killed}lambda *_, **__: os.kill(os.getpid(), 9)\n"
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    if OLD in state.there():
        assert (state.base / OLD / "lib/module.py").exists(), "what still has its name is whole"
    told = collected_of(state.collect(OLD))
    assert told.failed == ()
    assert state.there() == {NEW}
    assert names(state.folder / ".removing") == set()
    assert names(state.folder / "pkgs") == set()


def test_what_a_killed_build_left_goes_and_a_build_without_a_marker_is_told_as_unfinished(state: State) -> None:
    (state.base / ".work").mkdir()
    (state.base / OLD / ".provision-generation.json").unlink()
    (environment,) = environments_of(state.ask("tell_environments.py"))
    assert [(one.name, one.complete) for one in environment.generations] == [(OLD, False), (NEW, True)]
    assert dict(collected_of(state.collect(OLD)).counts)["leftovers"] == 1
    assert state.there() == {NEW}


def test_packages_that_no_generation_left_is_made_of_go_from_every_cache(state: State) -> None:
    state.generation("3-00000000", "numpy-1-0")
    state.generation("4-00000000", "torch-2-0")
    state.cached("numpy-1-0", "torch-2-0", "old-3-0")
    told = collected_of(state.collect("4-00000000"))
    assert dict(told.counts)["packages"] == 6
    assert names(state.folder / "pkgs") == {"numpy-1-0", "numpy-1-0.conda"}
    assert names(state.folder / "cache/channels/0/linux-64") == {"numpy-1-0.conda"}


def test_a_package_is_kept_by_whatever_name_its_generation_calls_it(state: State) -> None:
    prefix = state.generation("3-00000000")
    said = {"fn": "a-1-0.conda", "extracted_package_dir": "/c/pkgs/b-1-0/", "link": {"source": "/c/pkgs/d-1-0"}}
    (prefix / "conda-meta/e-1-0.json").write_text(json.dumps(said))
    (prefix / "conda-meta/torn-1-0.json").write_text("{")
    kept = ("a-1-0", "b-1-0", "d-1-0", "e-1-0", "torn-1-0")
    state.cached(*kept, "other-1-0")
    state.collect()
    assert names(state.folder / "pkgs") == {name for one in kept for name in (one, f"{one}.conda")}


def test_what_is_no_package_stays_in_the_caches(state: State) -> None:
    state.cached("numpy-1-0")
    cache = state.folder / "pkgs"
    (cache / "urls.txt").write_text("")
    (cache / "cache").mkdir()
    (cache / "linked-1-0").symlink_to(state.base / NEW)
    state.collect()
    assert names(cache) == {"urls.txt", "cache", "linked-1-0"}
    assert (state.base / NEW / "lib/module.py").exists()


def test_a_file_that_a_generation_shares_with_the_cache_gives_no_room_until_both_go(state: State) -> None:
    prefix = state.generation("3-00000000", "numpy-1-0")
    state.cached("numpy-1-0")
    big = state.folder / "pkgs/numpy-1-0/big"
    big.write_bytes(b"x" * (1 << 20))
    os.link(big, prefix / "lib/big")
    (environment,) = environments_of(state.ask("tell_environments.py"))
    mine = next(one for one in environment.generations if one.name == "3-00000000")
    assert mine.size > 1 << 20 > mine.freed
    assert collected_of(state.collect("3-00000000")).freed > 1 << 20


def test_downloads_that_nobody_used_for_thirty_days_go(state: State) -> None:
    for folder in ("cache", "pip-cache/http-v2/a/b"):
        (state.folder / folder).mkdir(parents=True)
        for name, days in (("old", 31), ("new", 29)):
            path = state.folder / folder / name
            path.write_text("x")
            os.utime(path, (time.time() - days * DAY,) * 2)
    assert dict(collected_of(state.collect()).counts)["old"] == 2
    assert names(state.folder / "cache") == {"new"}
    assert names(state.folder / "pip-cache/http-v2/a/b") == {"new"}


def test_a_folder_that_its_owner_may_not_write_to_goes_too(state: State) -> None:
    (state.base / OLD / "lib").chmod(0o500)
    told = collected_of(state.collect(OLD))
    assert told.failed == ()
    assert state.there() == {NEW}


def test_what_cannot_be_removed_is_named_and_the_rest_goes(state: State) -> None:
    state.generation("3-00000000")
    refuse = (
        "_real = move_aside\n"
        "def move_aside(state, path, number):\n"
        "    if path.endswith('3-00000000'):\n"
        "        raise PermissionError(13, 'Permission denied')\n"
        "    return _real(state, path, number)\n"
    )
    told = collected_of(state.collect(OLD, "3-00000000", prologue=refuse))
    assert told.failed == ((str(state.base / "3-00000000"), "Permission denied"),)
    assert state.there() == {NEW, "3-00000000"}


def test_how_far_it_is_is_said_on_stderr_and_nobody_has_to_listen(state: State) -> None:
    state.cached("numpy-1-0", "old-1-0")
    process = state.start("collect_environments.py", state.request(OLD), prologue="AGAIN = 0\n")
    out, err = process.communicate(timeout=60)
    lines = err.decode().splitlines()
    assert lines[0] == "far|counting|0|7"
    assert lines[-1] == "far|removing|6|7"
    assert len(out.splitlines()) == 1
    state.generation(OLD)
    deaf = state.start("collect_environments.py", state.request(OLD), prologue="AGAIN = 0\n")
    assert deaf.stderr is not None
    deaf.stderr.close()
    assert deaf.stdout is not None
    assert json.loads(deaf.stdout.read())["failed"] == []
    deaf.stdout.close()
    assert deaf.wait(30) == 0
    assert state.there() == {NEW}


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {"format": 2},
        {"format": 1},
        {"format": 1, "freed": -1, "generations": [], "counts": {}, "failed": [], "stays": []},
        {"format": 1, "freed": 1, "generations": [], "counts": {"generations": "x"}, "failed": [], "stays": []},
        {"format": 1, "freed": 1, "generations": 5, "counts": {}, "failed": [], "stays": []},
        {
            "format": 1,
            "freed": 1,
            "generations": [],
            "counts": dict.fromkeys(("generations", "packages", "old", "leftovers"), 0),
            "failed": [["a"]],
            "stays": [],
        },
    ],
)
def test_an_answer_that_is_none_of_ours_is_refused(told: object) -> None:
    with pytest.raises(ValueError, match="not understood"):
        collected_of(told)
