"""Questions that workers ask in the middle of a run."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from provision.cli.asking import Asking
from provision.engine.stop import Stop
from provision.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = 20.0


@contextmanager
def still() -> Iterator[None]:
    yield


def test_an_answer_reaches_who_asked() -> None:
    asking = Asking(Stop())
    asking.begin(still)
    assert asking.through(lambda question: f"answer to {question}")("which?") == "answer to which?"
    assert asking.through(lambda _: None)("nothing?") is None


def test_nobody_is_asked_before_there_is_a_screen() -> None:
    asking, asked = Asking(Stop()), threading.Event()

    def ask(_: str) -> str:
        asked.set()
        return "yes"

    worker = threading.Thread(target=asking.through(ask), args=("now?",))
    worker.start()
    assert not asked.wait(0.3)
    asking.begin(still)
    assert asked.wait(LONG)
    worker.join(LONG)


def test_questions_come_one_at_a_time_and_the_screen_is_still_meanwhile() -> None:
    asking = Asking(Stop())
    open_now, most, quiet = 0, 0, []

    @contextmanager
    def stilled() -> Iterator[None]:
        quiet.append(True)
        yield
        quiet.pop()

    def ask(_: str) -> str:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        assert quiet
        threading.Event().wait(0.05)
        open_now -= 1
        return "yes"

    asking.begin(stilled)
    workers = [threading.Thread(target=asking.through(ask), args=("?",)) for _ in range(5)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(LONG)
    assert (most, quiet) == (1, [])


def test_a_stop_ends_the_question_that_is_open_and_those_that_wait() -> None:
    stop = Stop()
    asking, opened, never = Asking(stop), threading.Event(), threading.Event()
    ended: list[type[BaseException]] = []

    def ask(_: str) -> str:
        opened.set()
        never.wait(LONG)
        return "too late"

    def work() -> None:
        with pytest.raises(InterruptedRunError) as caught:
            asking.through(ask)("?")
        ended.append(caught.type)

    asking.begin(still)
    workers = [threading.Thread(target=work) for _ in range(2)]
    for one in workers:
        one.start()
    assert opened.wait(LONG)
    stop.ask()
    for one in workers:
        one.join(LONG)
    never.set()
    assert ended == [InterruptedRunError] * 2
