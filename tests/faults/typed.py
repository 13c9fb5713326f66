"""A typed command that runs while the test watches its lines."""

from __future__ import annotations

import queue
import re
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

PATIENCE = 100.0
"""Seconds until a line that must come counts as missing; other test runs share the machine."""


@dataclass
class Typed:
    """One running command."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _new: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._new.put(line)
        self._new.put(None)

    @property
    def text(self) -> str:
        """Everything that was printed so far."""
        return "".join(self.lines)

    def until(self, pattern: str, seconds: float = PATIENCE) -> str:
        """Wait for a line that matches, and return it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._new.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line like {pattern!r} in {seconds:.0f} s:\n{self.text}") from None
            if line is None:
                self._new.put(None)
                raise AssertionError(f"ended without a line like {pattern!r}:\n{self.text}")
            self.lines.append(line)
            if re.search(pattern, line):
                return line

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for the end, and return the exit code."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._new.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no end in {seconds:.0f} s:\n{self.text}") from None
            if line is None:
                self._new.put(None)
                return self.process.wait(timeout=30)
            self.lines.append(line)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash of the laptop does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)
        self._reader.join(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()
