"""`--notify` of `up`, `verify` and `run`: what is told when a command ends, and that it never changes its outcome."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from provision.cli.job_book import Entry, JobBook
from provision.cli.notices import check_channels, tell_jobs, tell_run
from provision.errors import UsageError
from provision.events import Failure, HostEvent, HostFinished, HostStarted
from provision.model.job import JobState
from provision.model.plan import Outcome
from provision.project import load_project
from provision.report.fold import Report
from tests.notify.receivers import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JOB = "abcdef"


@pytest.fixture(autouse=True)
def _own_home(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def root(receiver: Receiver, project: Callable[[str], Path]) -> Path:
    return project(f"  ops: {{kind: webhook, url: '{receiver.url('/in')}'}}\n")


def told(receiver: Receiver) -> list[tuple[str, str, str]]:
    found = [json.loads(one.body)["data"] for one in receiver.got]
    return [(one["kind"], one["host"], one["text"]) for one in found]


def ended(outcome: Outcome, message: str | None = None, kind: str = "network", command: str = "up") -> Report:
    report = Report(command, ["box"])
    failure = Failure(kind, message, 3) if message is not None else None
    report.take(HostEvent("box", 1.0, HostStarted("box")))
    report.take(HostEvent("box", 2.0, HostFinished(outcome, failure)))
    return report


def test_a_host_that_fails_and_works_again_is_told_once_each(root: Path, receiver: Receiver) -> None:
    project = load_project(root)
    for report in (
        ended(Outcome.CONVERGED),
        ended(Outcome.UNREACHABLE, "no route with hunter2-hunter2"),
        ended(Outcome.UNREACHABLE, "no route with hunter2-hunter2"),
        ended(Outcome.CONVERGED),
        ended(Outcome.CONVERGED),
    ):
        tell_run(report, project, ("hunter2-hunter2",), drift=False)
    assert told(receiver) == [("failure", "box", "no route with ***"), ("recovery", "box", "works again")]


@pytest.mark.parametrize(
    "report",
    [
        ended(Outcome.UNREACHABLE, "stopped, as its cloud says", "stopped"),
        ended(Outcome.INTERRUPTED, "interrupted"),
        ended(Outcome.UNREACHABLE, "no route", command="plan"),
    ],
    ids=["stopped on purpose", "interrupted", "only foreseen"],
)
def test_what_is_no_failure_is_not_told(root: Path, receiver: Receiver, report: Report) -> None:
    tell_run(report, load_project(root), (), drift=False)
    assert receiver.got == []


def test_a_receiver_that_fails_is_one_note(root: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    receiver.answers = [(404, b"gone")]
    tell_run(ended(Outcome.FAILED, "x"), load_project(root), (), drift=False)
    assert capsys.readouterr().err == "note: not told: notify.ops (webhook): HTTP 404: gone\n"


def test_notify_without_channels_or_with_one_that_cannot_be_used_is_refused_first(
    project: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises(UsageError, match="has no `notify:`"):
        check_channels(load_project(tmp_path / "bare"))
    with pytest.raises(UsageError, match="PROVISION_NOTIFY_ABSENT is not set"):
        check_channels(load_project(project("  a: {kind: slack, url: '${PROVISION_NOTIFY_ABSENT}'}\n")))


def launched(root: Path, *, notify: bool = True) -> JobBook:
    book = JobBook.of_this_machine()
    entry = Entry(JOB, "box", "box", "~/.p", "mymodel", str(root), "baseline", ("true",), notify=notify)
    assert book.remember(entry) is None
    return book


def test_the_end_of_a_job_that_asked_for_it_is_told_once(root: Path, receiver: Receiver) -> None:
    book = launched(root)
    tell_jobs([(JOB, JobState("running"))])
    for _ in range(2):
        tell_jobs([(JOB, JobState("exited", exit_code=3, started=10.0, ended=70.0)), ("zzzzzz", JobState("exited"))])
    assert told(receiver) == [("job", "box", f"job {JOB} (baseline) failed with exit code 3 after 1 min 00 s")]
    kept = book.entry(JOB)
    assert kept is not None
    assert not kept.notify


def test_a_job_that_did_not_ask_is_not_told(root: Path, receiver: Receiver) -> None:
    launched(root, notify=False)
    tell_jobs([(JOB, JobState("exited", exit_code=0))])
    assert receiver.got == []


def test_the_end_of_a_job_is_told_at_the_next_look_where_nobody_took_it(
    root: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    launched(root)
    receiver.answers = [(404, b""), (200, b"")]
    tell_jobs([(JOB, JobState("lost", message="the host was restarted"))])
    assert "note: not told" in capsys.readouterr().err
    tell_jobs([(JOB, JobState("lost", message="the host was restarted"))])
    assert len(receiver.got) == 2


def test_a_job_whose_project_is_gone_says_so_once(
    root: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    launched(root)
    (root / "provision.yaml").unlink()
    tell_jobs([(JOB, JobState("exited", exit_code=0))])
    assert "has no `notify:` any more" in capsys.readouterr().err
    tell_jobs([(JOB, JobState("exited", exit_code=0))])
    assert capsys.readouterr().err == ""
    assert receiver.got == []
