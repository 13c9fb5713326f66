from __future__ import annotations

import io
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from rich.text import Text

from provision.events import HostEvent, HostStarted, SyncPlanned, SyncProgress
from provision.model.sync import SyncPlan
from provision.report.face import Face
from provision.report.fold import Report
from provision.report.live import LiveTable, by_activity, counts, row
from tests.unit.report.streams import changed, converged, failed, hostile, skipped, timed, unreachable

if TYPE_CHECKING:
    import pytest

ENVIRON = {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_work(**runs: tuple[list[Any], int]) -> Report:
    """A report of hosts that are so many events far."""
    report = Report("up", list(runs))
    for name, (events, number) in runs.items():
        for one in timed({name: events})[:number]:
            report.take(one)
    return report


def test_hosts_at_a_step_stand_first_and_those_that_are_done_nowhere() -> None:
    report = at_work(
        waits=(converged("waits"), 0),
        connects=(converged("connects"), 1),
        done=(converged("done"), 99),
        builds=(changed("builds"), 8),
    )
    assert [one.name for one in by_activity(report.hosts.values())] == ["builds", "connects", "waits"]


def test_a_row_says_the_step_how_long_it_took_so_far_and_its_last_line() -> None:
    host = at_work(a=(changed("a"), 8)).hosts["a"]
    assert host.current is not None
    assert row(host, host.current.started + 12) == (
        "a",
        "1/4 install Miniconda 24.11.1 at /home/u/miniconda3",
        "12 s",
        "unpacking",
    )


def test_a_row_before_the_first_step_says_what_is_done() -> None:
    host = at_work(a=(changed("a"), 1)).hosts["a"]
    assert row(host, (host.started or 0) + 3) == ("a", "connecting", "3.0 s", "")
    assert row(at_work(a=(changed("a"), 0)).hosts["a"], 0.0) == ("a", "not begun", "", "")


def test_a_row_shows_hostile_text_escaped() -> None:
    host = at_work(a=(hostile("a"), 7)).hosts["a"]
    assert all(one.isprintable() for one in row(host, 0.0))


def test_the_counts_tell_done_working_waiting_and_broken() -> None:
    report = at_work(
        a=(converged("a"), 99), b=(unreachable("b"), 99), c=(changed("c"), 8), d=(skipped(), 0), e=(failed("e"), 0)
    )
    assert counts(report.hosts.values()) == "2 of 5 done, 1 at work, 2 not begun, 1 not well"


def test_the_table_appears_with_the_first_step_and_is_gone_in_the_end() -> None:
    out, err = Terminal(), Terminal()
    face = Face("up", ["a", "b"], environ=ENVIRON, stdout=out, stderr=err)
    table = face._live
    assert table is not None
    shown = []
    for one in timed({"a": changed("a"), "b": failed("b")}):
        face.take(one)
        shown.append(table.shown)
    face.finish()
    assert shown[0] is False
    assert shown[-1] is True
    assert not table.shown
    text = err.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    assert "failed" in text
    assert "2 hosts: " in out.getvalue()


def test_the_table_leaves_room_for_what_the_terminal_echoes() -> None:
    err = Terminal()
    table = LiveTable(at_work(a=(changed("a"), 8), b=(changed("b"), 8)), err, ENVIRON)
    table.message = "finishing the present step " * 9
    table.start()
    table.close()
    shown = Text.from_ansi(err.getvalue().replace("\r", "\n")).plain.splitlines()
    assert max(map(len, shown)) == 120 - 3


def test_the_table_appears_on_its_own_where_a_host_is_slow_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.report.live.DELAY", 0.02)
    err = Terminal()
    table = LiveTable(Report("up", ["a"]), err, ENVIRON)
    try:
        deadline = time.monotonic() + 10
        while not table.shown and time.monotonic() < deadline:
            time.sleep(0.01)
        assert table.shown
    finally:
        table.close()
    assert "not begun" in err.getvalue()


def test_a_table_that_was_closed_or_is_held_does_not_appear() -> None:
    err = Terminal()
    table = LiveTable(Report("up", ["a"]), err, ENVIRON)
    table.hold()
    table.start()
    assert not table.shown
    table.go_on()
    assert table.shown
    table.close()
    table.start()
    assert not table.shown


def test_nobody_is_asked_anything_below_a_moving_table() -> None:
    out, err = Terminal(), Terminal()
    face = Face("up", ["a"], environ=ENVIRON, stdout=out, stderr=err)
    events = timed({"a": changed("a")})
    for one in events[:8]:
        face.take(one)
    assert face._live is not None
    with face.quiet():
        assert not face._live.shown
    assert face._live.shown
    face.finish()


def test_prints_of_other_threads_and_ctrl_c_do_not_break_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    face = Face("up", ["a", "b"], environ=ENVIRON)
    printers = [threading.Thread(target=lambda: [print(f"thread says {n}") for n in range(50)]) for _ in range(4)]
    events = timed({"a": changed("a"), "b": hostile("b")})
    half = len(events) // 2
    for one in events[:half]:
        face.take(HostEvent(one.host, time.time(), one.event))
    for thread in printers:
        thread.start()
    face.say("finishing the present step")
    for one in events[half:]:
        face.take(HostEvent(one.host, time.time(), one.event))
    for thread in printers:
        thread.join()
    time.sleep(0.3)
    face.finish()
    assert sys.stdout is out
    assert (out.getvalue() + err.getvalue()).count("thread says 49") == 4
    assert "finishing the present step" in err.getvalue()
    assert face.report.hosts["a"].finished


def test_on_a_narrow_terminal_a_sync_shows_its_numbers() -> None:
    out, err = Terminal(), Terminal()
    face = Face("sync", ["gpu-box"], environ={**ENVIRON, "COLUMNS": "60"}, stdout=out, stderr=err)
    progress = SyncProgress(1_204, 20_000, 34_000_000, 118_000_000)
    for event in (HostStarted("gpu-box (u@192.0.2.1:22)"), SyncPlanned(SyncPlan("/t", 1, ("a",), (), 1)), progress):
        face.take(HostEvent("gpu-box", time.time(), event))
    assert face._live is not None
    face._live.start()
    face.finish()
    assert "34 MB of 118 MB, 1,204 of 20,000" in Text.from_ansi(err.getvalue()).plain
