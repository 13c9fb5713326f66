from __future__ import annotations

import os
import signal

from provision.cli.signals import stopping
from provision.engine.stop import Stop


class Screen:
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def test_the_first_ctrl_c_says_what_it_does_and_the_second_that_it_is_over() -> None:
    stop, screen = Stop(), Screen()
    with stopping(stop, screen, "stopping this sync"):
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked
        assert not stop.now
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.now
    assert screen.said == ["stopping this sync; once more to stop at once", "stopping now"]
