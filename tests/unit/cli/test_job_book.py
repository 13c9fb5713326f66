"""What this machine launched is found again; damaged or foreign files in the book harm nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.cli.job_book import Entry, JobBook
from provision.cli.job_named import known_job
from provision.cli.workspace import Workspace
from provision.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def entry(job: str, at: float, name: str | None = None, host: str = "box") -> Entry:
    return Entry(job, host, f"{host} (ann@203.0.113.5:22)", "~/.provision", "mymodel", "/p", name, ("true",), at)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/pyproject.toml").write_text("")
    (tmp_path / "project/hosts.yaml").write_text(
        "version: 1\ndefaults: {user: ann}\nhosts: {box: {address: 203.0.113.5}, other: {address: 203.0.113.6}}\n"
    )
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Workspace.open(None)


def found(word: str, workspace: Workspace) -> tuple[str, str] | None:
    named = known_job(word, workspace)
    return None if named is None else (named.id, named.host.name)


def test_a_job_is_meant_by_its_id_its_beginning_its_name_or_last(workspace: Workspace) -> None:
    book = JobBook.of_this_machine()
    for one in (entry("abcdef", 1.0, "first"), entry("abzzzz", 3.0, "again", "other"), entry("bcdefg", 2.0, "again")):
        assert book.remember(one) is None
    assert found("abcdef", workspace) == ("abcdef", "box")
    assert found("abz", workspace) == ("abzzzz", "other")
    assert found("first", workspace) == ("abcdef", "box")
    assert found("again", workspace) == ("abzzzz", "other"), "the newest of that name"
    assert found("last", workspace) == ("abzzzz", "other")
    assert found("box:mnopqr", workspace) == ("mnopqr", "box")
    assert found("nothing", workspace) is None
    with pytest.raises(UsageError, match="'ab' means 2 jobs: abzzzz on other, abcdef on box"):
        known_job("ab", workspace)


def test_without_any_launch_last_is_told(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="has launched no job yet"):
        known_job("last", workspace)


def test_a_job_of_a_host_that_is_no_longer_known_is_told(workspace: Workspace) -> None:
    JobBook.of_this_machine().remember(entry("abcdef", 1.0, host="gone"))
    with pytest.raises(UsageError, match="runs on gone"):
        known_job("abcdef", workspace)


def test_a_forgotten_job_is_gone_and_damaged_files_are_passed_over(workspace: Workspace, tmp_path: Path) -> None:
    book = JobBook.of_this_machine()
    book.remember(entry("abcdef", 1.0))
    folder = tmp_path / "state/provision/jobs"
    for name, text in (("bcdefg", "{"), ("cdefgh", "[]"), ("defghi", '{"id": 3}'), ("notes", "{}")):
        (folder / f"{name}.json").write_text(text)
    (folder / "efghij.json").write_bytes((folder / "abcdef.json").read_bytes())
    assert [one.id for one in book.entries()] == ["abcdef"]
    book.forget("abcdef")
    assert book.entries() == []
    assert found("abcdef", workspace) is None


def test_a_book_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    note = JobBook(tmp_path / "file" / "jobs").remember(entry("abcdef", 1.0))
    assert note is not None
    assert "`provision jobs` finds the job all the same" in note


def test_what_is_no_id_removes_no_file(workspace: Workspace, tmp_path: Path) -> None:
    del workspace
    (tmp_path / "package.json").write_text("{}")
    JobBook.of_this_machine().remember(entry("abcdef", 1.0))
    for word in (str(tmp_path / "package"), "../../../package"):
        JobBook.of_this_machine().forget(word)
    assert (tmp_path / "package.json").exists()
