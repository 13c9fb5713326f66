from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from provision.events import CommandRan, HostEvent, HostFinished, Note, StepOutput
from provision.model.plan import Outcome
from provision.report.log import KEPT, RunLog, logs_folder
from tests.unit.report.streams import changed, crashed, failed, hostile, timed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def opened(tmp_path: Path, *secrets: str, argv: tuple[str, ...] = ("gpu-box",)) -> RunLog:
    return RunLog.open("up", argv, {"XDG_STATE_HOME": str(tmp_path), "HOME": "/nowhere"}, secrets)


def text(log: RunLog) -> str:
    assert log.path is not None
    return log.path.read_text(encoding="utf-8")


def test_the_log_is_the_users_alone(tmp_path: Path) -> None:
    old = os.umask(0o002)
    try:
        log = opened(tmp_path)
    finally:
        os.umask(old)
    assert log.path is not None
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700
    assert log.path.parent == tmp_path / "provision" / "logs"
    assert log.path.name.endswith(f"Z-up-{os.getpid()}.log")
    log.close()


def test_every_event_and_every_remote_command_is_there_with_time_and_host(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for one in timed({"gpu-box": changed("gpu-box"), "bad": failed("bad")}):
        log.take(one)
    log.close()
    lines = text(log).splitlines()
    assert "up gpu-box" in lines[0]
    assert "2023-11-14T22:13:40.000Z gpu-box $ detach.sh install: exit 0 in 0.200 s" in lines
    assert any("gpu-box $ follow.sh: link lost, outcome unknown in 45.000 s" in one for one in lines)
    assert any("step (exit 4): build mymodel" in one for one in lines)
    assert any(one.endswith("bad   | PackagesNotFoundError: nunpy") for one in lines)
    assert any("gpu-box finished: changed" in one for one in lines)
    assert any("warning GPU-DRIVER-OLD" in one for one in lines)


def test_a_crash_leaves_its_whole_traceback(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for one in timed({"a": crashed("a")}):
        log.take(one)
    log.close()
    assert "a   | Traceback" in text(log)
    assert "a   |   boom" in text(log)


def test_secrets_stand_in_no_line(tmp_path: Path) -> None:
    log = opened(tmp_path, "hunter2", "hunter2-longer", "one line\nanother long line", "", " ", argv=("--x=hunter2",))
    log.hide(["later"])
    log.take(HostEvent("a", 1.0, StepOutput("pw hunter2-longer; hunter2")))
    log.take(HostEvent("a", 1.0, CommandRan("x another long line later", 0, 0.1)))
    log.close()
    assert "hunter2" not in text(log)
    assert "longer" not in text(log)
    assert "another long line" not in text(log)
    assert "> pw ***; ***" in text(log)
    assert "$ x *** ***: exit 0" in text(log)


def test_hostile_text_is_escaped_in_the_log_too(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for one in timed({"a": hostile("a")}):
        log.take(one)
    log.close()
    assert not [one for one in text(log) if one != "\n" and not one.isprintable()]
    assert all(one[:4].isdigit() for one in text(log).splitlines())


def test_runs_that_begin_together_have_a_log_each(tmp_path: Path) -> None:
    logs = [opened(tmp_path) for _ in range(5)]
    assert len({one.path for one in logs} - {None}) == 5
    for one in logs:
        one.close()


def test_the_newest_fifty_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    folder = tmp_path / "provision" / "logs"
    folder.mkdir(parents=True)
    for number in range(60):
        (folder / f"20200101T0000{number:02d}.000Z-plan-7.log").touch()
    (folder / "notes.txt").touch()
    log = opened(tmp_path)
    log.close()
    left = sorted(one.name for one in folder.iterdir())
    assert "notes.txt" in left
    assert len(left) == KEPT + 1
    assert log.path is not None
    assert log.path.name in left
    assert "20200101T000059.000Z-plan-7.log" in left
    assert "20200101T000010.000Z-plan-7.log" not in left


def test_a_folder_that_cannot_be_made_only_disables_the_log(tmp_path: Path) -> None:
    (tmp_path / "provision").write_text("in the way")
    log = opened(tmp_path)
    log.take(HostEvent("a", 1.0, Note("x")))
    log.close()
    assert log.path is None
    assert log.problem is not None
    assert log.problem.startswith("no log file: ")


def test_a_full_disk_only_disables_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path)
    assert log.path is not None
    whole = log._descriptor
    assert whole is not None
    # A descriptor that cannot be written to fails as a full disk does.
    monkeypatch.setattr(log, "_descriptor", os.open("/", os.O_RDONLY))
    log.take(HostEvent("a", 1.0, Note("x")))
    problem = log.problem
    assert problem is not None
    assert "is incomplete" in problem
    log.take(HostEvent("a", 1.0, HostFinished(Outcome.CHANGED)))
    assert log.problem == problem
    os.close(whole)


def test_a_relative_state_folder_is_ignored_as_its_specification_asks() -> None:
    assert str(logs_folder({"XDG_STATE_HOME": "rel", "HOME": "/h"})) == "/h/.local/state/provision/logs"
    assert str(logs_folder({"XDG_STATE_HOME": "/s", "HOME": "/h"})) == "/s/provision/logs"
