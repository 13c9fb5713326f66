"""Ctrl-C: once ends the run in good order, twice at once."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Protocol

    from provision.engine.stop import Stop

    class Says(Protocol):
        """What can tell the user something while a run goes on."""

        def say(self, text: str) -> None:
            """Show one line."""


@contextmanager
def stopping(stop: Stop, face: Says, first: str = "finishing the present step") -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and a closed terminal into requests to stop; `first` says what the first of them does."""

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a signal handler
        if stop.ask():
            face.say("stopping now")
        else:
            face.say(f"{first}; once more to stop at once")

    # What is ignored stays so: that is what nohup asks for.
    heard = [
        one for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
