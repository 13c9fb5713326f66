"""How far a pull is: one line on stderr, as there is one host."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING

from provision.events import LinkLost, Note, SyncProgress
from provision.report.amounts import counted
from provision.report.display import one_line, shortened
from provision.report.link_text import link_lost
from provision.sync.sizes import sized

if TYPE_CHECKING:
    from provision.events import Event

LIVE, PLAIN = 0.25, 10.0
"""Seconds between two words on how far it is: on a terminal, and elsewhere."""


class Screen:
    """Says on stderr how far it is."""

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._name = name
        self._quiet = quiet
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._at = time.monotonic()
        self._open = False

    def say(self, text: str) -> None:
        """Show one line."""
        self._write(f"{self._cleared()}{one_line(text)}\n")

    def line(self, text: str) -> None:
        """Show a line that is harmless already: it may have colours."""
        self._write(f"{self._cleared()}{text}\n")

    def take(self, event: Event) -> None:
        """Show what an event says."""
        if isinstance(event, Note):
            self.say(f"note: {event.text}")
        elif isinstance(event, LinkLost):
            self.say(link_lost(event.reason, self._name))
        elif isinstance(event, SyncProgress):
            self._progress(event)

    def close(self) -> None:
        """Leave a clean line."""
        self._write(self._cleared())

    def _progress(self, event: SyncProgress) -> None:
        now = time.monotonic()
        if self._quiet or now - self._at < (LIVE if self._terminal else PLAIN):
            return
        self._at = now
        of = counted(event.total_files, "file")
        text = f"{event.files} of {of}, {sized(event.bytes)} of {sized(event.total_bytes)}"
        if self._terminal:
            self._write(f"\r{shortened(text, shutil.get_terminal_size().columns - 1)}\x1b[K")
            self._open = True
        else:
            self.say(text)

    @staticmethod
    def _write(text: str) -> None:
        try:
            print(text, end="", file=sys.stderr, flush=True)
        except BrokenPipeError:
            raise
        except OSError:
            pass  # a full disk takes no word of ours: the files still come, and the exit code tells

    def _cleared(self) -> str:
        was, self._open = self._open, False
        return "\r\x1b[K" if was else ""


class Pressed:
    """Says what Ctrl-C does here: once is enough, as what is unfinished is gone on with the next time."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def say(self, text: str) -> None:
        """Say that instead of what it does in a run of steps."""
        del text
        self._screen.say("stopping: the next pull goes on with what is not whole yet")
