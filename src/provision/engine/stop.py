"""How a run is asked to end: once, after the present step; twice, now."""

from __future__ import annotations

import threading

from provision.errors import InterruptedRunError


class Stop:
    """Shared by the signal handler and every worker."""

    def __init__(self) -> None:
        self._soon = threading.Event()
        self._now = threading.Event()

    def ask(self) -> bool:
        """Ask to stop; return whether it was the second time, so that work ends at once."""
        if self._soon.is_set():
            self._now.set()
        self._soon.set()
        return self._now.is_set()

    @property
    def asked(self) -> bool:
        """Whether no new step may begin."""
        return self._soon.is_set()

    @property
    def now(self) -> bool:
        """Whether also the present step must end."""
        return self._now.is_set()

    def between_steps(self) -> None:
        """Raise when the run was asked to stop."""
        if self.asked:
            raise InterruptedRunError("stopped on request", hint="run the same command again to go on")

    def during_step(self) -> None:
        """Raise when the run must end at once."""
        if self.now:
            raise InterruptedRunError(
                "stopped on request in the middle of a step", hint="run the same command again to go on"
            )

    def wait(self, seconds: float) -> bool:
        """Sleep, less when asked to stop; return whether it was."""
        return self._soon.wait(seconds)

    def pause(self, seconds: float) -> None:
        """Sleep in the middle of a step: only the second request cuts it short."""
        self._now.wait(seconds)
