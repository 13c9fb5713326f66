from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

import pytest
import watchfiles

from provision.tree.watching import Relevant, watching

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_only_what_may_count_is_worth_a_scan(tmp_path: Path) -> None:
    relevant = Relevant(tmp_path, lambda: ["runs/", "a/cache/", "big.bin"])
    assert relevant(f"{tmp_path}/runs/log"), "nothing is known yet"
    relevant.learn()
    for path in ("runs/log", "runs", "a/cache/x/y", "big.bin", ".git/index.lock", "sub/.git/HEAD", ".provision/x"):
        assert not relevant(f"{tmp_path}/{path}"), path
    for path in ("train.py", "runs2/log", "a/cached", "big.binary", ".github/x", "sub/.provision/x"):
        assert relevant(f"{tmp_path}/{path}"), path


def test_a_changed_ignore_file_makes_everything_count_until_it_is_asked_anew(tmp_path: Path) -> None:
    relevant = Relevant(tmp_path, lambda: ["runs/"])
    relevant.learn()
    assert relevant(f"{tmp_path}/sub/.gitignore")
    assert not relevant.learnt
    assert relevant(f"{tmp_path}/runs/log")


@pytest.mark.parametrize("path", [".git/index", ".git/info/exclude", "sub/.git/index"])
def test_what_git_tracks_and_excludes_is_asked_anew_when_it_changes(tmp_path: Path, path: str) -> None:
    relevant = Relevant(tmp_path, lambda: ["runs/"])
    relevant.learn()
    assert relevant(f"{tmp_path}/{path}")
    assert not relevant.learnt
    relevant.learn()
    assert relevant.learnt
    assert not relevant(f"{tmp_path}/runs/log")


def told_at_last(told: Iterator[bool]) -> bool:
    return any(next(told) for _ in range(10))


def assert_watched_anew(root: Path, told: Iterator[bool]) -> None:
    """The folder that is there now is told of, and then what changes in it."""
    assert told_at_last(told)
    while next(told):
        pass
    (root / "train.py").write_text("x")
    assert told_at_last(told)


def test_a_folder_that_was_removed_is_told_once_and_watched_again_when_it_is_there_again(tmp_path: Path) -> None:
    root, over = tmp_path / "project", threading.Event()
    root.mkdir()
    told = watching(root, lambda _: True, over, pytest.fail)
    assert next(told)
    shutil.rmtree(root)
    assert told_at_last(told)
    while next(told):
        pass
    assert not next(told)
    root.mkdir()
    assert_watched_anew(root, told)
    over.set()
    list(told)


def test_another_folder_under_the_same_name_is_watched(tmp_path: Path) -> None:
    root, over = tmp_path / "project", threading.Event()
    root.mkdir()
    told = watching(root, lambda _: True, over, pytest.fail)
    assert next(told)
    root.rename(tmp_path / "renamed")
    root.mkdir()
    assert_watched_anew(root, told)
    over.set()
    list(told)


def test_where_the_rules_cannot_be_asked_everything_counts(tmp_path: Path) -> None:
    def fails() -> list[str]:
        raise OSError

    relevant = Relevant(tmp_path, fails)
    relevant.learn()
    assert relevant(f"{tmp_path}/runs/log")


def test_a_change_is_told_and_what_does_not_count_is_not(tmp_path: Path) -> None:
    over = threading.Event()
    told = watching(tmp_path, lambda path: not path.endswith(".log"), over, pytest.fail)
    assert next(told), "what changed before is seen by the first scan"
    (tmp_path / "a.log").write_text("x")
    assert not next(told)
    (tmp_path / "train.py").write_text("x")
    assert next(told)
    over.set()
    assert list(told) in ([], [False], [True])


def test_where_the_system_does_not_tell_every_file_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = watchfiles.watch
    polled = []

    def watch(*paths: str, force_polling: bool, **how: object) -> object:
        polled.append(force_polling)
        if not force_polling:
            raise OSError("OS file watch limit reached")
        return real(*paths, force_polling=True, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(watchfiles, "watch", watch)
    said: list[str] = []
    over = threading.Event()
    told = watching(tmp_path, lambda _: True, over, said.append)
    assert next(told)
    over.set()
    assert polled == [False, True]
    assert len(said) == 1
    assert "OS file watch limit reached" in said[0]
