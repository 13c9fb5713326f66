"""`provision schedule` as it is typed; no scheduler of this machine is touched."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = "version: 1\nhosts:\n  box: {address: 127.0.0.1, user: nobody, port: 9}\n"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path / "a b%c$d")
    (desk.project / "hosts.yaml").write_text(HOSTS)
    (desk.project / "environment.yml").write_text("name: mymodel\ndependencies: [python]\n")
    (desk.project / ".git").rmdir()
    return desk


def added(desk: Desk, *more: str) -> None:
    answer = desk.type("schedule", "add", "box", "--every", "1h", "--by", "serve", "--take-busy", *more)
    assert answer.code == 0, answer


def test_one_is_added_shown_run_and_removed(desk: Desk) -> None:
    added(desk, "--check-only", "--name", "n % 'x'")
    listed = json.loads(desk.type("schedule", "list", "--json").out)["schedules"]
    assert [(one["name"], one["check_only"], one["outcome"]) for one in listed] == [("n % 'x'", True, None)]
    ran = desk.type("schedule", "run", "n % 'x'", "--json")
    assert (ran.code, json.loads(ran.out)["outcome"]) == (3, "failed"), ran
    assert "verify --drift" in desk.type("schedule", "logs", "n % 'x'").out
    assert "notice: failure: box" in desk.type("schedule", "logs", "n % 'x'").out
    assert desk.type("schedule", "remove", "n % 'x'").code == 0
    assert "no schedules" in desk.type("schedule", "list").out


def test_what_is_shown_changes_nothing(desk: Desk) -> None:
    shown = desk.type("schedule", "add", "box", "--daily", "03:30", "--print", "--by", "systemd")
    assert "OnCalendar=*-*-* 03:30:00" in shown.out
    assert "Persistent=true" in shown.out
    assert "no key" in shown.err
    assert not (desk.home / ".config").exists()
    assert "no schedules" in desk.type("schedule", "list").out


def test_the_same_name_twice_is_asked_about(desk: Desk) -> None:
    added(desk)
    again = desk.type("schedule", "add", "box", "--every", "2h", "--by", "serve")
    assert (again.code, "--replace" in again.err) == (2, True)
    added(desk, "--replace")


@pytest.mark.parametrize("frozen", [False, True])
def test_files_that_changed_and_are_not_committed_are_only_checked_or_refused(desk: Desk, frozen: bool) -> None:
    added(desk, *(["--frozen"] if frozen else []))
    (desk.project / "hosts.yaml").write_text(HOSTS + "\n# changed\n")
    ran = desk.type("schedule", "run", "box")
    log = desk.type("schedule", "logs", "box").out
    assert "not committed in git" in log
    assert ("provision verify --drift" in log, "refused" in ran.out) == (not frozen, frozen)
    assert "provision up" not in log
    git = ["git", "-C", str(desk.project), "-c", "user.name=dev", "-c", "user.email=dev@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    desk.type("schedule", "run", "box")
    assert "provision up" in desk.type("schedule", "logs", "box").out


def test_what_is_not_due_is_not_run(desk: Desk) -> None:
    added(desk)
    assert desk.type("schedule", "run", "--due", "box").code == 0
    assert "not run yet" in desk.type("schedule", "logs", "box").err


def test_serve_ends_well_when_it_is_told_to(desk: Desk) -> None:
    added(desk)
    process = subprocess.Popen(
        [sys.executable, "-m", "provision", "schedule", "serve"],
        cwd=desk.project,
        env=desk.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "serving" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert "ended" in process.stderr.read()
    process.stderr.close()


def test_an_unknown_schedule_is_answered_with_a_near_one(desk: Desk) -> None:
    added(desk)
    answer = desk.type("schedule", "run", "bx")
    assert (answer.code, "'box'" in answer.err) == (2, True)
