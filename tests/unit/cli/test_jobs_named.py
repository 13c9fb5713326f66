"""Which job a word means: never another one than was meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.cli.job_book import Entry, JobBook
from provision.cli.job_named import find_job, known_job
from provision.cli.workspace import Workspace
from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTS = {"version": 1, "hosts": {name: {"address": "192.0.2.1", "user": "u"} for name in ("box", "other")}}


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("hosts.yaml").write_text(json.dumps(HOSTS))
    moment = iter(range(1000, 2000))

    def remember(job: str, name: str | None = None, host: str = "box") -> None:
        at = float(next(moment))
        entry = Entry(job, host, "u@192.0.2.1:22", "~/.provision", "p", "/p", name, ("true",), at)
        assert JobBook.of_this_machine().remember(entry) is None

    return remember


def meant(word: str) -> tuple[str, str] | None:
    named = known_job(word, Workspace.open(None))
    return None if named is None else (named.id, named.host.name)


def test_an_id_its_beginning_a_name_and_the_last_one_are_found(book: Callable[..., None]) -> None:
    book("abcdef", "baseline")
    book("abcxyz", host="other")
    assert meant("abcdef") == ("abcdef", "box")
    assert meant("abcd") == ("abcdef", "box")
    assert meant("baseline") == ("abcdef", "box")
    assert meant("last") == ("abcxyz", "other")
    assert meant("other:zzzzzz") == ("zzzzzz", "other")
    assert meant("nobody") is None


def test_the_beginning_of_two_ids_is_refused_with_both(book: Callable[..., None]) -> None:
    book("abcdef")
    book("abcxyz", host="other")
    with pytest.raises(UsageError, match="2 jobs") as told:
        meant("abc")
    assert "abcdef on box" in told.value.message
    assert "abcxyz on other" in told.value.message


def test_a_name_that_is_also_the_beginning_of_another_id_is_refused(book: Callable[..., None]) -> None:
    book("abcdef", "base")
    book("baseab")
    with pytest.raises(UsageError, match="2 jobs"):
        meant("base")


def test_a_whole_id_means_that_job_whatever_another_is_named(book: Callable[..., None]) -> None:
    book("baseab")
    book("abcdef", "baseab")
    assert meant("baseab") == ("baseab", "box")


def test_of_two_runs_with_one_name_the_newest_is_meant(book: Callable[..., None]) -> None:
    book("abcdef", "base")
    book("bcdefg", "base")
    assert meant("base") == ("bcdefg", "box")


def test_a_job_whose_name_begins_its_own_id_is_one_job(book: Callable[..., None]) -> None:
    book("abcdef", "abc")
    assert meant("abc") == ("abcdef", "box")


def test_a_host_that_is_no_longer_in_the_inventory_is_told(book: Callable[..., None]) -> None:
    book("abcdef", host="sold")
    with pytest.raises(UsageError, match="runs on sold"):
        meant("abcdef")
    with pytest.raises(UsageError, match="no host 'sold'"):
        meant("sold:abcdef")


@pytest.mark.parametrize("word", ["", "box:"])
def test_no_word_is_not_every_job(book: Callable[..., None], word: str) -> None:
    del book
    with pytest.raises(UsageError, match="names no job"):
        find_job("stop", word, Workspace.open(None), None)  # type: ignore[arg-type]


def test_without_a_launch_there_is_no_last_one(book: Callable[..., None]) -> None:
    del book
    with pytest.raises(UsageError, match="no job yet"):
        meant("last")


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 9000, '{"id": "abcdef"}', '{"id": "abcdef", "command": 3}'])
def test_a_damaged_note_is_passed_over(book: Callable[..., None], text: str) -> None:
    book("bcdefg")
    folder = next(Path.home().glob("**/bcdefg.json")).parent
    (folder / "abcdef.json").write_text(text)
    assert meant("last") == ("bcdefg", "box")
