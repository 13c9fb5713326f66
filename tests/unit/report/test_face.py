from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from provision.report.face import Face
from provision.report.heartbeat import Heartbeat
from provision.report.log import RunLog
from tests.unit.report.streams import changed, converged, failed, timed

if TYPE_CHECKING:
    from pathlib import Path


class Gone(io.StringIO):
    """A pipe whose reader went away."""

    def write(self, _: str, /) -> int:
        raise BrokenPipeError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_with_json_stdout_holds_the_document_alone() -> None:
    out, err = io.StringIO(), io.StringIO()
    face = Face("up", ["a"], json=True, environ={}, stdout=out, stderr=err)
    for one in timed({"a": changed("a")}):
        face.take(one)
    assert out.getvalue() == ""
    face.finish()
    assert out.getvalue().startswith("{\n")
    assert out.getvalue().endswith("}\n")
    assert "[1/4] install" in err.getvalue()


def test_work_goes_on_where_nobody_reads_the_progress() -> None:
    out = io.StringIO()
    face = Face("up", ["a"], environ={}, stdout=out, stderr=Gone())
    for one in timed({"a": changed("a")}):
        face.take(one)
    face.finish()
    assert "changed" in out.getvalue()


def test_a_result_that_cannot_be_written_is_not_passed_over() -> None:
    face = Face("up", ["a"], environ={}, stdout=Gone(), stderr=io.StringIO())
    with pytest.raises(BrokenPipeError):
        face.finish()


def on_terminals(command: str, hosts: list[str], *, shared: bool) -> tuple[str, str]:
    """What a run without steps prints on stderr and in all, on one terminal or on two."""
    one, other = pty.openpty(), pty.openpty()
    error = one if shared else other
    with open(one[1], "w", closefd=False) as out, open(error[1], "w", closefd=False) as err:
        face = Face(command, hosts, environ={}, stdout=out, stderr=err)
        for event in timed({name: converged(name) for name in hosts}):
            face.take(event)
        os.set_blocking(error[0], False)
        progress = reads(error[0])
        face.finish()
    result = reads(one[0])
    for descriptor in (*one, *other):
        os.close(descriptor)
    return progress, progress + result


def reads(descriptor: int) -> str:
    try:
        return os.read(descriptor, 10_000).decode()
    except BlockingIOError:
        return ""


def test_a_plan_names_its_host_once_on_one_terminal_and_at_once_where_there_are_two() -> None:
    assert on_terminals("plan", ["a"], shared=True)[0] == ""
    assert on_terminals("plan", ["a"], shared=True)[1].count("a (u@192.0.2.1:22)") == 1
    assert "a (u@192.0.2.1:22)" in on_terminals("plan", ["a"], shared=False)[0]
    assert "a | (u@192.0.2.1:22)" in on_terminals("plan", ["a", "b"], shared=True)[0]
    assert "a (u@192.0.2.1:22)" in on_terminals("up", ["a"], shared=True)[0]


def test_what_the_encoding_lacks_is_escaped() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    face = Face("up", ["模型"], environ={}, stdout=out, stderr=io.StringIO())
    for one in timed({"模型": converged("模型")}):
        face.take(one)
    face.finish()
    assert raw.getvalue().startswith(b"\\u6a21\\u578b  converged")


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}])
def test_without_a_capable_terminal_no_escape_sequence_is_printed(environ: dict[str, str]) -> None:
    out, err = Terminal(), Terminal()
    face = Face("up", ["a"], environ=environ, stdout=out, stderr=err)
    for one in timed({"a": failed("a")}):
        face.take(one)
    face.finish()
    assert "\x1b" not in out.getvalue() + err.getvalue()


def test_a_terminal_gets_colours() -> None:
    out = Terminal()
    face = Face("up", ["a"], verbose=True, environ={"TERM": "xterm"}, stdout=out, stderr=io.StringIO())
    for one in timed({"a": failed("a")}):
        face.take(one)
    face.finish()
    assert "\x1b[31mfailed     \x1b[0m" in out.getvalue()


def test_the_logs_path_is_printed_when_something_went_wrong(tmp_path: Path) -> None:
    for name, events in (("good", converged("a")), ("bad", failed("a"))):
        log = RunLog.open("up", ["a"], {"XDG_STATE_HOME": str(tmp_path)})
        out = io.StringIO()
        face = Face("up", ["a"], environ={}, stdout=out, stderr=io.StringIO(), log=log)
        for one in timed({"a": events}):
            face.take(one)
        face.finish()
        assert (f"log:  {log.path}" in out.getvalue()) == (name == "bad")
        assert log.path is not None
        assert "finished: " in log.path.read_text(encoding="utf-8")


def test_a_missing_log_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "provision").write_text("in the way")
    log = RunLog.open("up", ["a"], {"XDG_STATE_HOME": str(tmp_path)})
    err = io.StringIO()
    face = Face("up", ["a"], environ={}, stdout=io.StringIO(), stderr=err, log=log)
    for one in timed({"a": converged("a")}):
        face.take(one)
    face.finish()
    assert err.getvalue().count("no log file: ") == 1


def test_ctrl_c_is_answered_at_once_and_counts_for_the_exit_code() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as read, os.fdopen(writing, "w") as err:
        face = Face("up", ["a"], environ={}, stdout=io.StringIO(), stderr=err)
        face.say("finishing the present step")
        assert os.read(read.fileno(), 100) == b"\nfinishing the present step\n"
    assert face.report.asked_to_stop


def test_a_silent_step_is_said_to_be_still_at_work() -> None:
    err = io.StringIO()
    face = Face("up", ["a"], environ={}, stdout=io.StringIO(), stderr=err)
    events = timed({"a": changed("a")})
    for one in events[:7]:
        face.take(one)
    begun = events[6].at
    for late in (9.0, 10.0, 15.0, 20.5):
        face._beat(begun + late)
    face.take(events[7])
    face.finish()
    assert [one.strip() for one in err.getvalue().splitlines()[-2:]] == ["10 s: still at work", "20 s: still at work"]


def test_the_heartbeat_beats_once_started_until_it_is_stopped() -> None:
    beats: list[float] = []
    heart = Heartbeat(beats.append, period=0.01)
    heart.start()
    heart.start()
    deadline = time.monotonic() + 10
    while len(beats) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    heart.stop()
    seen = len(beats)
    time.sleep(0.05)
    assert seen >= 3
    assert len(beats) == seen


def test_a_converged_host_costs_neither_rich_nor_json() -> None:
    code = (
        "import sys\n"
        "from provision.report.face import Face\n"
        "from tests.unit.report.streams import converged, timed\n"
        "import io\n"
        "class Terminal(io.StringIO):\n"
        "    def isatty(self): return True\n"
        "face = Face('up', ['a'], environ={'TERM': 'xterm'}, stdout=Terminal(), stderr=Terminal())\n"
        "for one in timed({'a': converged('a')}): face.take(one)\n"
        "face.finish()\n"
        "print([one for one in sys.modules if one in ('rich', 'json', 'unicodedata')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "[]\n"
