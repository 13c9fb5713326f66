"""What takes long is said, what does not is not, and no word of it stays on a terminal."""

from __future__ import annotations

import io
import re
import time
from typing import TYPE_CHECKING

from provision.cli.waiting import Waiting

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def until(stream: io.StringIO, text: str) -> str:
    """Wait until a text was written."""
    deadline = time.monotonic() + 20
    while text not in stream.getvalue():
        assert time.monotonic() < deadline, stream.getvalue()
        time.sleep(0.01)
    return stream.getvalue()


def test_what_is_quick_is_not_said() -> None:
    stream = io.StringIO()
    with Waiting(stream) as waiting:
        waiting.on("solving")
    assert stream.getvalue() == ""


def test_in_a_pipe_a_line_stays_once_it_takes_long() -> None:
    stream = io.StringIO()
    with Waiting(stream, plain=0.0) as waiting:
        waiting.on("solving")
        until(stream, "\n")
        time.sleep(0.5)
    assert re.fullmatch(r"solving \(\d+ s\)\n", stream.getvalue()), "once, and not with every beat"


def test_on_a_terminal_the_line_is_written_over_and_wiped_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Waiting(stream, live=0.0) as waiting:
        waiting.on("solving")
        until(stream, "\rsolving (0 s)\x1b[K")
        waiting.line("note: a line that stays")
        waiting.on("and more")
        until(stream, "\rand more (")
    text = stream.getvalue()
    assert "\r\x1b[Knote: a line that stays\n" in text
    assert text.endswith("\r\x1b[K")


def test_nothing_is_written_over_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Waiting(stream, live=0.0) as waiting:
        waiting.on("solving")
        until(stream, "solving")
        with waiting.quiet():
            before = stream.getvalue()
            assert before.endswith("\r\x1b[K")
            time.sleep(0.5)
            assert stream.getvalue() == before
        waiting.on("again")
        until(stream, "again")


def test_what_a_host_says_moves_nothing_on_the_screen() -> None:
    stream = io.StringIO()
    with Waiting(stream, plain=0.0) as waiting:
        waiting.on("a\x1b[2J\nb")
        until(stream, "\n")
    assert stream.getvalue().startswith("a\\x1b[2J\\nb (")


def test_a_stream_that_is_gone_stops_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    with Waiting(stream, plain=0.0, live=0.0) as waiting:
        waiting.on("solving")
        waiting.line("done")
        time.sleep(0.3)
