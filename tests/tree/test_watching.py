from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import watchfiles

from provision.tree.watching import Relevant, watching

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_may_count_is_worth_a_scan(tmp_path: Path) -> None:
    relevant = Relevant(tmp_path, lambda: ["runs/", "a/cache/", "big.bin"])
    assert relevant(f"{tmp_path}/runs/log"), "nothing is known yet"
    relevant.learn()
    for path in ("runs/log", "runs", "a/cache/x/y", "big.bin", ".git/index", "sub/.git/HEAD", ".provision/x"):
        assert not relevant(f"{tmp_path}/{path}"), path
    for path in ("train.py", "runs2/log", "a/cached", "big.binary", ".github/x", "sub/.provision/x"):
        assert relevant(f"{tmp_path}/{path}"), path


def test_a_changed_ignore_file_makes_everything_count_until_it_is_asked_anew(tmp_path: Path) -> None:
    relevant = Relevant(tmp_path, lambda: ["runs/"])
    relevant.learn()
    assert relevant(f"{tmp_path}/sub/.gitignore")
    assert not relevant.learnt
    assert relevant(f"{tmp_path}/runs/log")


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
