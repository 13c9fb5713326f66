"""What takes long is said on stderr: on a terminal one line that counts the seconds, elsewhere a line now and then."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from provision.report.display import one_line, shortened
from provision.report.style import rich_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

LIVE, PLAIN = 1.0, 8.0
"""Seconds that something may take before it is said: on a terminal, and elsewhere."""
AGAIN = 30.0
"""Seconds until it is said again where lines stay."""
_BEAT = 0.2


class Waiting:
    """Says what is being done, once it takes long; any thread may tell it what that is."""

    def __init__(self, stream: TextIO | None = None, *, live: float = LIVE, plain: float = PLAIN) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._terminal = rich_terminal(self._stream, {**os.environ, "NO_COLOR": ""})
        self._patience = live if self._terminal else plain
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._text = ""
        self._since = self._due = 0.0
        self._shown = False
        self._still = 0

    def on(self, text: str) -> None:
        """Say what is being done now; the seconds are those since the first word, or the last line."""
        with self._lock:
            if not self._text:
                self._since = time.monotonic()
                self._due = self._since + self._patience
            self._text = one_line(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="provision-waiting", daemon=True)
                self._thread.start()

    def line(self, text: str) -> None:
        """Print a line that stays; what is waited for begins anew."""
        with self._lock:
            self._clear()
            self._write(f"{one_line(text)}\n")
            self._since = time.monotonic()
            self._due = self._since + self._patience

    def done(self) -> None:
        """Nothing is waited for any more."""
        with self._lock:
            self._clear()
            self._text = ""

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Leave the screen alone: somebody is asked something."""
        with self._lock:
            self._clear()
            self._still += 1
        try:
            yield
        finally:
            with self._lock:
                self._still -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End, and leave a clean line."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self.done()

    def _run(self) -> None:
        while not self._over.wait(_BEAT):
            with self._lock:
                now = time.monotonic()
                if self._text and not self._still and now >= self._due:
                    self._say(now)

    def _say(self, now: float) -> None:
        text = f"{self._text} ({now - self._since:.0f} s)"
        if self._terminal:
            self._write(f"\r{shortened(text, shutil.get_terminal_size().columns - 1)}\x1b[K")
            self._shown = True
            return
        self._write(f"{text}\n")
        self._due = now + AGAIN

    def _clear(self) -> None:
        if self._shown:
            self._write("\r\x1b[K")
        self._shown = False

    def _write(self, text: str) -> None:
        # Nobody reads it, or the disk is full: the work goes on, and the exit code tells.
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
