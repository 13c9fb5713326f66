"""A process writes down its run: from its beginning on, without secrets, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.ledger import reading, recorder
from provision.ledger.place import ledger_path
from provision.ledger.recorder import Recorder, recorded
from provision.ledger.store import open_ledger
from tests.ledger.samples import a_host

if TYPE_CHECKING:
    from provision.ledger.rows import Run

SOURCE = str(Path(__file__).resolve().parents[2] / "src")


def runs(environ: dict[str, str]) -> list[Run]:
    ledger = open_ledger(environ, writing=False)
    found = reading.runs(ledger)
    assert ledger.problem is None
    ledger.close()
    return found


def ended(environ: dict[str, str], *words: str, secrets: tuple[str, ...] = (), code: int = 0) -> Run:
    one = Recorder(words, environ)
    one.hide(secrets)
    assert one.end(code) is None
    (found,) = runs(environ)
    return found


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_recorder", None)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def test_a_run_is_written_with_its_times_its_words_and_its_exit_code(environ: dict[str, str]) -> None:
    before = time.time()
    run = ended(environ, "up", "gpu-box", "--forks", "5", code=4)
    assert (run.command, run.argv, run.exit_code, run.user) == ("up", ("gpu-box", "--forks", "5"), 4, "dev")
    assert run.ended is not None
    assert before <= run.started <= run.ended <= time.time()
    assert run.schedule is None


@pytest.mark.parametrize(
    ("words", "command", "argv"),
    [
        (("env", "lock", "gpu"), "env lock", ("gpu",)),
        (("hosts", "add", "x"), "hosts add", ("x",)),
        (("hosts", "gpu-box"), "hosts", ("gpu-box",)),
        (("jobs", "show", "last"), "jobs show", ("last",)),
        (("jobs",), "jobs", ()),
        (("power", "off", "x"), "power off", ("x",)),
        (("env", "--help"), "env", ("--help",)),
    ],
)
def test_a_part_of_a_command_belongs_to_its_name(
    words: tuple[str, ...], command: str, argv: tuple[str, ...], environ: dict[str, str]
) -> None:
    run = ended(environ, *words)
    assert (run.command, run.argv) == (command, argv)


def test_no_secret_of_a_command_line_is_written(environ: dict[str, str]) -> None:
    environ["PROVISION_SSH_PASSWORD"] = "letmein-now"
    words = (
        "run",
        "--env",
        "KEY=abcdef",
        "--env=TOKEN=ghijkl",
        "--env",
        "PLAIN",
        "--secret=S=mnopqr",
        "https://me:stuvwx@host/",
        "gpu-box",
        "--",
        "train",
        "letmein-now",
        "a-secret-of-the-host",
        "--env",
        "LR=3",
    )
    run = ended(environ, *words, secrets=("a-secret-of-the-host",))
    assert run.argv == (
        "--env",
        "KEY=...",
        "--env=TOKEN=...",
        "--env",
        "PLAIN",
        "--secret=S=...",
        "https://me:***@host/",
        "gpu-box",
        "--",
        "train",
        "***",
        "***",
        "--env",
        "LR=3",
    )
    beside = ledger_path(environ).parent.iterdir()
    everything = b"".join(one.read_bytes() for one in beside)
    for secret in (b"letmein-now", b"a-secret-of-the-host", b"abcdef", b"ghijkl", b"mnopqr", b"stuvwx"):
        assert secret not in everything


def test_before_it_is_known_what_is_secret_no_word_is_written(environ: dict[str, str]) -> None:
    one = Recorder(("up", "s3cret-value"), environ)
    one.begin()
    wait_for_a_run(environ)
    assert [(each.argv, each.ended) for each in runs(environ)] == [((), None)]
    one.end(0)
    assert [each.argv for each in runs(environ)] == [("s3cret-value",)]


def test_a_name_of_the_timetable_is_kept(environ: dict[str, str]) -> None:
    environ["PROVISION_SCHEDULE"] = "nightly"
    assert ended(environ, "up").schedule == "nightly"


def test_the_project_is_that_of_the_folder(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "work" / "provision.yaml").write_text("project: lion\n")
    assert ended(environ, "up").project == "lion"


def test_a_project_file_that_cannot_be_read_is_no_reason_to_stop(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "work" / "provision.yaml").write_text("project: [\n")
    assert ended(environ, "up").project is None


def test_rows_that_others_add_are_written_at_the_end(environ: dict[str, str]) -> None:
    one = Recorder(("power", "on", "x"), environ)
    one.add(lambda: [a_host(one.id, "x")])
    assert one.end(0) is None
    ledger = open_ledger(environ, writing=False)
    assert [each.host for each in reading.hosts_of(ledger, one.id)] == ["x"]
    ledger.close()


def test_rows_that_cannot_be_made_are_told_and_end_nothing(environ: dict[str, str]) -> None:
    one = Recorder(("jobs",), environ)
    one.add(lambda: iter(int("nothing")))  # type: ignore[call-overload]
    assert "'nothing'" in (one.end(0) or "")


def a_process(environ: dict[str, str], work: str, *words: str) -> subprocess.Popen[str]:
    text = (
        "import os, sys, time\n"
        "from provision.ledger.recorder import current, recorded\n"
        f"def work():\n    {work}\n"
        "sys.exit(recorded(sys.argv[1:], work))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", text, *words],
        env={**os.environ, **environ, "PYTHONPATH": SOURCE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_that_is_killed_is_seen_as_one_that_did_not_end(environ: dict[str, str]) -> None:
    one = a_process(environ, "current().hide([]); current().begin(); time.sleep(600)", "up", "gpu-box")
    wait_for_a_run(environ)
    one.send_signal(signal.SIGKILL)
    one.communicate()
    assert [(each.argv, each.ended, each.exit_code) for each in runs(environ)] == [(("gpu-box",), None, None)]


def test_a_run_whose_hosts_do_not_answer_is_seen_while_it_waits(environ: dict[str, str]) -> None:
    one = a_process(environ, "time.sleep(600)", "up", "gpu-box")
    wait_for_a_run(environ)
    one.kill()
    one.communicate()
    assert runs(environ)[0].ended is None


def test_a_bug_of_ours_is_a_run_that_ended_with_1(environ: dict[str, str]) -> None:
    one = a_process(environ, "raise ZeroDivisionError", "up")
    _, said = one.communicate(timeout=60)
    assert "ZeroDivisionError" in said
    assert one.returncode == 1
    assert [each.exit_code for each in runs(environ)] == [1]


@pytest.mark.parametrize("command", ["history", "report", "demo"])
def test_commands_that_only_read_are_not_recorded(command: str, environ: dict[str, str]) -> None:
    one = a_process(environ, "return 3", command)
    one.communicate(timeout=60)
    assert one.returncode == 3
    assert not ledger_path(environ).exists()


def test_help_in_the_words_of_a_hosts_command_is_the_hosts(environ: dict[str, str]) -> None:
    one = a_process(environ, "return 0", "exec", "box", "--", "ls", "--help")
    one.communicate(timeout=60)
    assert [each.command for each in runs(environ)] == ["exec"]


@pytest.mark.parametrize(("words", "work"), [("--help", "time.sleep(0.7); sys.exit(0)"), ("gpu-box", "sys.exit(0)")])
def test_asking_for_help_is_no_run_however_slow_the_machine_is(words: str, work: str, environ: dict[str, str]) -> None:
    one = a_process(environ, work, "up", words)
    one.communicate(timeout=60)
    assert one.returncode == 0
    assert not ledger_path(environ).exists()


def test_the_exit_code_is_the_runs(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert recorded(["up"], lambda: 5) == 5
    assert runs(environ)[0].exit_code == 5


def wait_for_a_run(environ: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while not ledger_path(environ).exists() or not runs_or_none(environ):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs_or_none(environ: dict[str, str]) -> list[Run]:
    # It may be in the middle of being made.
    ledger = open_ledger(environ, writing=False)
    found = reading.runs(ledger)
    ledger.close()
    return found
