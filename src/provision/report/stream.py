"""Writing to a terminal, a pipe or a file whose encoding may not know our characters."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


def write(stream: TextIO, text: str) -> None:
    """Write the text with what the encoding lacks shown escaped, and flush.

    Raises:
        OSError: the reader is gone, or the disk is full.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def same_terminal(one: TextIO, other: TextIO) -> bool:
    """Return whether both streams show on one terminal."""
    try:
        return one.isatty() and other.isatty() and os.ttyname(one.fileno()) == os.ttyname(other.fileno())
    except (OSError, ValueError):  # closed, or no terminal of the system
        return False


class Progress:
    """Lines that say how far it is: work goes on where nobody can read them any more."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._gone = False

    def line(self, text: str) -> None:
        """Write one line."""
        if self._gone:
            return
        try:
            write(self.stream, text + "\n")
        except (OSError, ValueError):
            self._gone = True
