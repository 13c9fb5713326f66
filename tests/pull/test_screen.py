"""What is said on the way."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from provision.cli import pull_screen
from provision.events import LinkLost, SyncProgress

if TYPE_CHECKING:
    import pytest


class Window(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_a_link_that_broke_is_told_once_and_with_the_host_s_name(capsys: pytest.CaptureFixture[str]) -> None:
    screen = pull_screen.Screen("box")
    screen.take(LinkLost("the link was lost in the middle of a conversation"))
    screen.take(LinkLost("the host has been silent for 60 s"))
    assert capsys.readouterr().err.splitlines() == [
        "the link to box was lost in the middle of a conversation: connecting again",
        "the link to box broke (the host has been silent for 60 s): connecting again",
    ]


def test_the_progress_is_in_decimal_units_and_never_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(pull_screen, "LIVE", 0.0)
    for columns, said in ((60, "3 of 20 files, 1.5 MB of 20 MB"), (20, "3 of 20 files, 1...")):
        window = Window()
        monkeypatch.setattr("sys.stderr", window)
        monkeypatch.setattr("shutil.get_terminal_size", lambda columns=columns: os.terminal_size((columns, 24)))
        pull_screen.Screen("box").take(SyncProgress(3, 20, 1_500_000, 20_000_000))
        assert window.getvalue() == f"\r{said}\x1b[K"
