"""The words of `provision run`: lengths of time, and the line that was meant without ``--``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.cli.run import main, span
from provision.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1.5h", 5400), ("2d", 172800), ("2D", 172800)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1", "0", "1w", "nan", "inf", "1e3", "99999d", "٣s", "1 h"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no length of time"):
        span(text)


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["box", "python", "x y.py"], "provision run box -- python 'x y.py'"),
        (["python", "train.py", "--lr", "3"], "provision run -- python train.py --lr 3"),
        (["--gpus", "2", "box", "--detach", "make"], "provision run --gpus 2 box --detach -- make"),
        ([], "provision run HOST -- COMMAND"),
        (["box"], "provision run box -- COMMAND"),
    ],
)
def test_a_forgotten_dash_dash_gets_the_line_that_was_meant(
    argv: list[str], hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hosts.yaml").write_text("version: 1\nhosts: {box: {address: 203.0.113.5}}\n")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        main("run", argv)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["box", "--"], "no command"),
        (["box", "--", ""], "first word is empty"),
        (["--up", "--no-sync", "--", "true"], "do not go together"),
        (["--gpus", "two", "--", "true"], "no number of GPUs"),
        (["--name", "a b", "--", "true"], "is not a name for a job"),
        (["--max-time", "soon", "--", "true"], "no length of time"),
        (["box", "other", "--", "true"], "unrecognized"),
    ],
)
def test_bad_words_are_refused_before_anything_is_done(argv: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        main("run", argv)
