"""A coded stream on its way: written once into a file without a name, read along behind by any number of senders."""

from __future__ import annotations

import bisect
import os
import tempfile
import threading
from typing import TYPE_CHECKING, NamedTuple

from provision.errors import StepFailedError
from provision.sync.wire import PIECE

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLISHED = 64 << 10
"""Bytes that are written, and seen by the readers, at once."""


class Piece(NamedTuple):
    """A piece of the stream, and how much content was in everything up to its end."""

    coded: bytes
    files: int
    bytes: int


class Spool:
    """Written by one thread; what it ended with, an error too, is what each reader ends with."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long as the spool
        self._changed = threading.Condition()
        self._ends: list[int] = []
        self._counts: list[tuple[int, int]] = []
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._end = 0
        self._files = self._bytes = 0
        self._error: BaseException | None = None
        self._over = False

    def write(self, coded: bytes, *, files: int = 0, size: int = 0) -> None:
        """Take what is ready of the stream; `files` and `size` tell how much content went into it.

        Raises:
            StepFailedError: there is no room for it.
        """
        self._files += files
        self._bytes += size
        if coded:
            self._pending.append(coded)
            self._pending_size += len(coded)
        if self._pending_size >= PUBLISHED:
            self._publish()

    def end(self) -> None:
        """Say that this was all."""
        self._publish()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Say that no more comes, and why."""
        with self._changed:
            if not self._over:
                self._error, self._over = error, True
            self._changed.notify_all()

    def close(self) -> None:
        """Give its room free; a reader that is still there ends with an error."""
        with self._changed:
            if not self._over:
                self._error, self._over = StepFailedError("the run ended while files were read"), True
            self._file.close()
            self._changed.notify_all()

    def pieces(self, patience: float) -> Iterator[Piece | None]:
        """Return the stream from its beginning; ``None`` for each time that none came in `patience` seconds."""
        at = 0
        while True:
            with self._changed:
                if at == self._end and not self._over:
                    self._changed.wait(patience)
                end, over, error = self._end, self._over, self._error
            if at < end:
                data = self._read(min(PIECE, end - at), at)
                at += len(data)
                mark = bisect.bisect_right(self._ends, at)
                yield Piece(data, *(self._counts[mark - 1] if mark else (0, 0)))
            elif error is not None:
                raise error
            elif over:
                return
            else:
                yield None

    def _read(self, size: int, at: int) -> bytes:
        try:
            return os.pread(self._file.fileno(), size, at)
        except ValueError as error:
            raise StepFailedError("the run ended while files were sent") from error

    def _publish(self) -> None:
        data = b"".join(self._pending)
        self._pending, self._pending_size = [], 0
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except ValueError as error:
            # It was closed meanwhile.
            raise StepFailedError("the run ended while files were read") from error
        except OSError as error:
            raise StepFailedError(
                f"no room to prepare what is sent: {tempfile.gettempdir()}: {error}",
                hint="free some there, or name another folder in TMPDIR",
            ) from error
        with self._changed:
            self._end += len(data)
            self._ends.append(self._end)
            self._counts.append((self._files, self._bytes))
            self._changed.notify_all()
