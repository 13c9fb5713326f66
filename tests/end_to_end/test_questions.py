"""Questions of a run, answered and broken off at a real terminal."""

from __future__ import annotations

import termios
from typing import TYPE_CHECKING

from tests.unit.cli.typed import Terminal

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

PASSWORD = "correct horse battery"
INTERRUPT = b"\x03"


def sit(laptop: Laptop, *words: str) -> Terminal:
    environment = {**laptop.environment, "TERM": "xterm", "COLUMNS": "120"}
    return Terminal(words, laptop.project, environment)


def behind_passwords(laptop: Laptop, lab: Lab, *names: str) -> None:
    laptop.hosts([lab.host(name, password=PASSWORD, authorized=False) for name in names])


def test_the_passwords_of_two_hosts_are_asked_one_after_the_other(laptop: Laptop, lab: Lab) -> None:
    behind_passwords(laptop, lab, "box", "den")
    with sit(laptop, "up", "box", "den") as terminal:
        for _ in range(2):
            terminal.expect("Password of ubuntu on ")
            terminal.answer(PASSWORD)
        assert terminal.end() == 0, terminal.said
    assert PASSWORD not in terminal.said
    assert "2 hosts: " in terminal.said


def test_ctrl_c_at_a_question_ends_the_run_and_leaves_the_terminal_as_it_was(laptop: Laptop, lab: Lab) -> None:
    behind_passwords(laptop, lab, "box")
    with sit(laptop, "up", "box") as terminal:
        terminal.expect("Password of ubuntu on box")
        terminal.press(INTERRUPT)
        assert terminal.end() == 130, terminal.said
        assert termios.tcgetattr(terminal.screen)[3] & termios.ECHO
    assert "Traceback" not in terminal.said
