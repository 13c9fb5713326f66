"""Questions in the middle of a run: one at a time, never below a live table, and ended by Ctrl-C."""

from __future__ import annotations

import queue
import sys
import termios
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from provision.engine.stop import Stop

GLANCE = 0.1
"""Seconds between two looks at whether the user wants to stop instead of answering."""


class Asking:
    """Lets the workers of a run ask the user, once there is a screen to ask on."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._one_at_a_time = threading.Lock()
        self._ready = threading.Event()
        self._quiet: Callable[[], AbstractContextManager[None]] | None = None

    def begin(self, quiet: Callable[[], AbstractContextManager[None]]) -> None:
        """Let questions through; `quiet` keeps the screen still meanwhile."""
        self._quiet = quiet
        self._ready.set()

    def through(self, ask: Callable[[str], str | None]) -> Callable[[str], str | None]:
        """Return a way to ask that any worker may use.

        It raises InterruptedRunError where the run is stopped before the answer.
        """

        def answer(question: str) -> str | None:
            self._ready.wait()
            assert self._quiet is not None  # noqa: S101 - `begin` set it before the event
            with self._one_at_a_time, self._quiet(), _echo_restored():
                self._stop.between_steps()
                return self._answer(ask, question)

        return answer

    def _answer(self, ask: Callable[[str], str | None], question: str) -> str | None:
        answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        # A thread that reads the terminal cannot be woken: it is left behind when the user wants to stop.
        threading.Thread(target=lambda: answers.put(ask(question)), name="provision-question", daemon=True).start()
        while True:
            try:
                return answers.get(timeout=GLANCE)
            except queue.Empty:
                self._stop.between_steps()


def typed(question: str) -> str | None:
    """Ask on stderr and return what is typed; ``None`` where that is nothing."""
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() or None


@contextmanager
def _echo_restored() -> Iterator[None]:
    """Leave the terminal as it was: a question that is broken off would leave it without its echo."""
    try:
        before = termios.tcgetattr(sys.stdin.fileno())
    except (termios.error, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
