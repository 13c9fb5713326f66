"""Each thing is told once, however many processes meet it, and again after it was over."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.cli.schedule_notices import Told as Announced
from provision.cli.schedule_notices import announce
from provision.errors import ProvisionError
from provision.notify.message import Notice
from provision.notify.sending import notify, tell
from provision.notify.told import Key, Told
from provision.project import load_project
from tests.notify.receivers import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SRC = str(Path(__file__).resolve().parents[2] / "src")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def root(receiver: Receiver, project: Callable[[str], Path]) -> Path:
    return project(f"  ops: {{kind: webhook, url: '{receiver.url('/in')}', on: [failure, recovery, drift]}}\n")


def kinds(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["data"]["kind"] for one in receiver.got]


def test_the_same_thing_is_told_once_and_again_after_a_recovery(
    environ: dict[str, str], root: Path, receiver: Receiver
) -> None:
    for _ in range(3):
        notify(environ, root, "failure", "gpu-box", "x", "failure/gpu-box")
    notify(environ, root, "failure", "other", "x", "failure/other")
    notify(environ, root, "recovery", "gpu-box", "works", "recovery/1")
    notify(environ, root, "failure", "gpu-box", "x", "failure/gpu-box")
    notify(environ, root, "failure", "other", "x", "failure/other")
    assert kinds(receiver) == ["failure", "failure", "recovery", "failure"]


def test_what_nobody_took_is_told_the_next_time(environ: dict[str, str], root: Path, receiver: Receiver) -> None:
    receiver.answers = [(404, b""), (200, b"")]
    with pytest.raises(ProvisionError):
        notify(environ, root, "failure", "gpu-box", "x", "k")
    notify(environ, root, "failure", "gpu-box", "x", "k")
    notify(environ, root, "failure", "gpu-box", "x", "k")
    assert len(receiver.got) == 2


def test_a_channel_is_not_told_what_it_does_not_want(environ: dict[str, str], root: Path, receiver: Receiver) -> None:
    notify(environ, root, "job", "gpu-box", "ended", "k")
    assert receiver.got == []


def test_a_project_without_channels_tells_nothing_and_keeps_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    notify(environ, tmp_path, "failure", "gpu-box", "x", "k")
    assert not (tmp_path / "state").exists()


def test_a_whole_fleet_that_fails_is_one_message(environ: dict[str, str], root: Path, receiver: Receiver) -> None:
    many = [Notice("failure", f"gpu-{one}", "unreachable", f"f/{one}") for one in range(300)]
    assert tell(environ, root, many) == []
    (got,) = receiver.got
    assert "300 at once" in json.loads(got.body)["data"]["text"]
    assert tell(environ, root, many) == []
    assert len(receiver.got) == 1


def test_hidden_texts_are_not_sent(environ: dict[str, str], root: Path, receiver: Receiver) -> None:
    tell(environ, root, [Notice("failure", "a", "login with hunter2-hunter2 failed", "k")], hidden=("hunter2-hunter2",))
    assert b"hunter2" not in receiver.got[0].body


def test_a_schedule_tells_through_the_projects_channels(
    environ: dict[str, str], root: Path, receiver: Receiver
) -> None:
    said: list[str] = []
    notices = [Announced("failure", "gpu-box", "unreachable", "failure/nightly/gpu-box/1")]
    announce(notices, environ, load_project(root), said.append)
    assert kinds(receiver) == ["failure"]
    receiver.answers = [(404, b"gone")]
    announce([replace(notices[0], key="2")], environ, load_project(root), said.append)
    assert said[-1] == "note: not told: notify.ops (webhook): HTTP 404: gone"


def test_of_several_processes_one_tells(environ: dict[str, str], root: Path, receiver: Receiver) -> None:
    receiver.seconds = 0.2
    code = (
        "import os, sys; from provision.notify.sending import notify; from pathlib import Path;"
        "notify(os.environ, Path(sys.argv[1]), 'failure', 'gpu-box', 'x', 'k')"
    )
    words = [sys.executable, "-c", code, str(root)]
    started = [subprocess.Popen(words, env={**environ, "PYTHONPATH": SRC}) for _ in range(4)]
    assert [one.wait(60) for one in started] == [0] * 4
    assert len(receiver.got) == 1


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"a": 1}', b"\xff", b"[" * 100_000])
def test_a_damaged_file_of_what_was_told_is_begun_anew(
    environ: dict[str, str], root: Path, receiver: Receiver, tmp_path: Path, damage: bytes
) -> None:
    (tmp_path / "state" / "provision").mkdir(parents=True)
    (tmp_path / "state" / "provision" / "notices.json").write_bytes(damage)
    notify(environ, root, "failure", "gpu-box", "x", "k")
    notify(environ, root, "failure", "gpu-box", "x", "k")
    assert len(receiver.got) == 1


def test_a_state_folder_that_takes_no_file_stops_no_notice(
    environ: dict[str, str], root: Path, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file")
    notify(environ, root, "failure", "gpu-box", "x", "k")
    assert len(receiver.got) == 1


def test_who_died_while_sending_keeps_nobody_from_it_for_long(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, key = Told(environ), Key("/p", "k", "failure", "a")
    assert told.claim([key]) == [key]
    assert told.claim([key]) == []
    monkeypatch.setattr("provision.notify.told.HELD", 0.0)
    assert told.claim([key]) == [key]
