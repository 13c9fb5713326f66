"""What a run leaves that was killed in the middle, and what cures it."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.standin.conftest import Conda

SPECS = ("standin-alpha", "cuda-version")


def test_a_kill_while_linking_leaves_no_history_and_yet_a_python_that_runs(conda: Conda, prefix: Path) -> None:
    done = conda.run("create", "-y", "-p", prefix, *SPECS, faults={"kill_at": "link:2"})
    assert done.status == -signal.SIGKILL
    assert not (prefix / "conda-meta/history").exists()
    assert (prefix / ".condatmp").is_dir()
    assert subprocess.run([prefix / "bin/python", "-c", ""], check=False).returncode == 0


def test_a_kill_before_the_history_is_written_is_no_environment(conda: Conda, prefix: Path) -> None:
    assert conda.run("create", "-y", "-p", prefix, *SPECS, faults={"kill_at": "before-history"}).status == -9
    done = conda.run("list", "-p", prefix, "--json")
    assert done.document["exception_name"] == "EnvironmentLocationNotFound"


def test_a_kill_during_the_pip_step_leaves_a_complete_conda_part(conda: Conda, prefix: Path) -> None:
    file = conda.file("dependencies: [python, pip, {pip: [standin-wheel]}]\n")
    assert conda.run("env", "create", "-f", file, "-p", prefix, faults={"kill_at": "pip"}).status == -9
    assert (prefix / "conda-meta/history").exists()
    assert not list(prefix.glob("lib/python3*/site-packages/standin_wheel*"))


@pytest.mark.parametrize("point", ["extract:2", "extract-half:1"])
def test_a_kill_while_extracting_poisons_the_cache_until_it_is_cleaned(cold: Conda, prefix: Path, point: str) -> None:
    options = ("create", "-y", "--json", "-p", prefix, *SPECS)
    assert cold.run(*options, faults={"kill_at": point}).status == -9
    for _ in range(2):
        again = cold.run(*options)
        assert (again.status, again.document["exception_name"]) == (1, "CondaVerificationError")
    assert cold.run("clean", "--packages", "-y").status == 0
    assert cold.run(*options).status == 0


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_a_signal_while_linking_is_rolled_back(conda: Conda, prefix: Path, name: str) -> None:
    done = conda.run("create", "-y", "-p", prefix, *SPECS, faults={"kill_at": "link:2", "signal": name})
    assert done.status == 1
    assert not prefix.exists()


def test_a_hangup_kills_without_rolling_back(conda: Conda, prefix: Path) -> None:
    done = conda.run("create", "-y", "-p", prefix, *SPECS, faults={"kill_at": "link:2", "signal": "HUP"})
    assert done.status == -signal.SIGHUP
    assert (prefix / "bin/python").exists()
    assert not (prefix / "conda-meta/history").exists()


def test_a_run_cut_down_from_outside_while_it_waits_dies_at_once(cold: Conda, prefix: Path) -> None:
    env = cold.environment({"sleep_at": "link:1", "seconds": 30})
    process = cold.start("create", "-y", "-p", prefix, *SPECS, env=env)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Executing transaction"):
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 1
    assert not prefix.exists()


def test_a_signal_while_extracting_takes_the_half_package_back(cold: Conda, prefix: Path) -> None:
    process = cold.start("create", "-y", "-p", prefix, *SPECS, env=cold.environment({"sleep_at": "extract:1"}))
    while not list(cold.pkgs.glob("python-*/info/paths.json")):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "CondaSignalInterrupt" in said
    assert not list(cold.pkgs.glob("python-*/info"))
    assert cold.run("create", "-y", "-p", prefix, *SPECS).status == 0


def test_two_creates_on_one_cold_cache_fail(cold: Conda, tmp_path: Path) -> None:
    slow = cold.environment({"sleep_at": "extract:1", "seconds": 20})
    first = cold.start("create", "-y", "-p", tmp_path / "a", *SPECS, env=slow)
    assert first.stdout is not None
    while not list(cold.pkgs.glob("python-*/info/index.json")):
        assert first.poll() is None
    try:
        second = cold.run("create", "-y", "--json", "-p", tmp_path / "b", *SPECS)
        assert (second.status, second.document["exception_name"]) == (1, "CondaVerificationError")
    finally:
        first.kill()
        first.communicate()


def test_two_creates_on_one_prefix_break_it_and_one_of_them_exits_0(conda: Conda, prefix: Path) -> None:
    env = conda.environment()
    options = ("create", "-y", "-p", prefix, *SPECS)
    first = conda.start(*options, env=env)
    while not (prefix / ".condatmp").exists():
        assert first.poll() is None
    first.send_signal(signal.SIGSTOP)
    second = conda.run(*options)
    first.send_signal(signal.SIGCONT)
    said, _ = first.communicate(timeout=30)
    assert (first.returncode, second.status) == (1, 0)
    assert "LinkError" in said
    assert (prefix / "conda-meta/history").exists()
    assert not (prefix / "bin/python").exists()


def test_a_fault_counts_only_as_often_as_asked(conda: Conda, prefix: Path) -> None:
    env = conda.environment({"kill_at": "solve", "times": 1})
    codes = []
    for _ in range(2):
        process = conda.start("create", "-y", "-p", prefix, "cuda-version", env=env)
        process.communicate()
        codes.append(process.returncode)
    assert codes == [-9, 0]
