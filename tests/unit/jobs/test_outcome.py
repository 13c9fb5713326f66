"""How a job ended: the exit code that is passed on, and the words."""

from __future__ import annotations

import pytest

from provision.jobs.outcome import exit_code, how_it_ended, number_of
from provision.model.job import JobState
from provision.report.duration import after


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (JobState("exited", exit_code=0), 0, "ended well"),
        (JobState("exited", exit_code=3), 3, "failed with exit code 3"),
        (JobState("exited", signal="SEGV"), 139, "was ended by SIGSEGV"),
        (JobState("exited", signal="KILL", reason="oom"), 137, "was ended by SIGKILL: the host ran out of memory"),
        (JobState("exited", signal="35"), 163, "was ended by SIG35"),
        (JobState("stopped", exit_code=0, reason="stop"), 143, "was stopped"),
        (JobState("stopped", signal="KILL", reason="max-time"), 143, "was stopped: its time was over"),
        (JobState("lost", reason="reboot", message="the host was restarted"), 4, "is lost: the host was restarted"),
        (JobState("lost"), 4, "is lost: nobody knows why"),
        (JobState("exited", exit_code=127, reason="not-started", message="x: No such file"), 127, "x: No such file"),
        (JobState("running"), 4, "is running"),
    ],
)
def test_each_end_has_its_code_and_its_words(state: JobState, code: int, words: str) -> None:
    assert exit_code(state) == code
    assert words in how_it_ended(state)


@pytest.mark.parametrize(("name", "number"), [("KILL", 9), ("TERM", 15), ("64", 64), ("999", 0), ("_DFL", 0), ("", 0)])
def test_names_of_signals(name: str, number: int) -> None:
    assert number_of(name) == number


@pytest.mark.parametrize(("started", "ended", "text"), [(1.0, 4.0, " after 3.0 s"), (None, 4.0, ""), (1.0, None, "")])
def test_how_long_it_took_stands_behind_where_it_is_known(
    started: float | None, ended: float | None, text: str
) -> None:
    assert after(started, ended) == text
