"""A user's terminal: `provision` commands typed one after the other, each a real process."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.report.duration import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Typed:
    """A command that was run; ``output`` is kept only where it is not shown."""

    command: str
    exit_code: int
    seconds: float
    output: str


class Terminal:
    """Runs commands in one folder with one environment, and passes Ctrl-C on to them."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, shows: bool) -> None:
        self.typed: list[Typed] = []
        self.interrupted = False
        self._folder = folder
        self._environment = dict(environment)
        self._shows = shows
        self._running: subprocess.Popen[str] | None = None
        self._starting = False

    def say(self, text: str = "") -> None:
        """Print a line of the demo's own, where people read."""
        if self._shows:
            print(text, flush=True)

    def provision(self, *words: str) -> int:
        """Run one command and return its exit code, 128 + N when signal N ended it."""
        command = shlex.join(("provision", *words))
        self.say(f"\n$ {command}")
        begun = time.monotonic()
        pipe = None if self._shows else subprocess.PIPE
        # A signal that comes now is remembered: raised here, it would leave a process that nobody knows.
        self._starting = True
        process = self._running = subprocess.Popen(
            [sys.executable, "-m", "provision", *words],
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=None if self._shows else subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=self._folder,
            env=self._environment,
            # Ctrl-C reaches it once, through us, whether it was typed or sent.
            start_new_session=True,
        )
        self._starting = False
        if self.interrupted:
            process.terminate()
        try:
            output, _ = process.communicate()
        finally:
            self._running = None
            if process.poll() is None:
                process.kill()
                process.wait()
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        seconds = time.monotonic() - begun
        self.say(f"[exit code {code}, {duration(seconds)}]")
        self.typed.append(Typed(command, code, seconds, output or ""))
        return code

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answer Ctrl-C, SIGTERM and a closed terminal while the block runs."""
        before = {number: signal.signal(number, self._interrupt) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, number: int, frame: object) -> None:  # noqa: ARG002 - the signature of a signal handler
        first, self.interrupted = not self.interrupted, True
        if self._running is not None:
            self._running.send_signal(signal.SIGINT)
        elif first and not self._starting:
            # Only once: what follows is the clean-up, which nothing should cut short.
            raise KeyboardInterrupt
