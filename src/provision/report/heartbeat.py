"""Signs of life while nothing happens: a pipe's reader must see that a silent step is still at work."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from provision.report.plain import EVERY

if TYPE_CHECKING:
    from collections.abc import Callable


class Heartbeat:
    """Calls a function with the time, every few seconds, from a thread of its own, once it was started."""

    def __init__(self, beat: Callable[[float], None], period: float = EVERY / 2) -> None:
        self._beat = beat
        self._period = period
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it has begun already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="provision-heartbeat", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end: nothing is printed after it."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._period):
            self._beat(time.time())
