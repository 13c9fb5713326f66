"""Shows what a job prints: byte for byte in a file or a pipe, made harmless on a terminal."""

from __future__ import annotations

import codecs
import re
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from provision.errors import InterruptedRunError, UsageError
from provision.jobs.messages import NOTE, STDERR
from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;:]{0,60})?$")
_ESCAPE = re.compile(r"\x1b\[[0-9;:]*[mKABCDGJ]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BELL_AND_BACK = "\x07\x08"
_WHOLE_SCREEN = re.compile(r"\x1b\[[0-9;:]*J")


class LogScreen:
    """Writes the pieces of a log as they come."""

    def __init__(self, stdout: BinaryIO, stderr: BinaryIO) -> None:
        self._out = _writer(stdout)
        self._err = _writer(stderr)
        self._stderr = stderr

    def take(self, stream: int, data: bytes) -> None:
        """Show a piece of a stream: 0 stdout, 1 stderr, 2 a note of the job's supervisor."""
        with _told():
            if stream == NOTE:
                text = one_line(data.decode("utf-8", "replace").strip())
                self._stderr.write(f"provision: {text}\n".encode(errors="backslashreplace"))
                self._stderr.flush()
            else:
                (self._err if stream == STDERR else self._out)(data, False)

    def close(self) -> None:
        """Show what was held back, as its end may have been still to come."""
        with suppress(OSError, ValueError):  # whoever followed was told already
            self._out(b"", True)
            self._err(b"", True)


class UnreadError(InterruptedRunError):
    """Whoever read our output went away (`| head`)."""

    exit_code = 128 + signal.SIGPIPE


@contextmanager
def _told() -> Iterator[None]:
    """Raise what hinders our output as an end of the following, and not as a bug.

    Raises:
        UnreadError: nobody reads it any more.
        UsageError: it cannot be written.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise UnreadError("nobody reads the output any more; the job is left as it is") from error
    except OSError as error:
        raise UsageError(
            f"what the job prints cannot be written here: {error.strerror or error}",
            hint="is the disk full? The job is left as it is, and its log stays on the host",
        ) from error


def _writer(stream: BinaryIO) -> Callable[[bytes, bool], None]:
    if not stream.isatty():

        def exact(data: bytes, last: bool) -> None:
            del last
            stream.write(data)
            stream.flush()

        return exact
    harmless = Harmless()

    def shown(data: bytes, last: bool) -> None:
        stream.write(harmless.feed(data, last=last).encode("utf-8", "backslashreplace"))
        stream.flush()

    return shown


class Harmless:
    """Lets text, colours and what progress bars need through; everything else that a terminal obeys is shown instead.

    Letters and escape sequences may be cut in two by the pieces that they come in.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes, *, last: bool = False) -> str:
        """Return what may be written now."""
        text = self._held + self._decoder.decode(data, last)
        self._held = ""
        unfinished = None if last else _UNFINISHED.search(text)
        if unfinished is not None:
            text, self._held = text[: unfinished.start()], unfinished[0]
        return _ESCAPE.sub(_replaced, text)


def _replaced(found: re.Match[str]) -> str:
    text = found[0]
    if len(text) > 1:
        # Erasing what is below a bar is common; the whole screen is not the job's.
        return "" if _WHOLE_SCREEN.fullmatch(text) and text not in {"\x1b[J", "\x1b[0J"} else text
    if text in _BELL_AND_BACK:
        return "" if text == "\x07" else text
    return f"^{chr(ord(text) ^ 64)}" if text < " " or text == "\x7f" else f"\\x{ord(text):02x}"
