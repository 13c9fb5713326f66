"""Reads a project's files whole: what changes while it is read is read again, and never mixed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from provision.errors import StepFailedError
from provision.sync.manifest import EXECUTABLE, FILE, LINK, Entry
from provision.sync.wire import BIG
from provision.tree.listing import VanishedError, open_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from provision.tree.listing import Scan

TRIES = 3
PAUSE = 0.2
"""Seconds before a file that changed is read again."""
PIECE = 1 << 20


class Content(NamedTuple):
    """What one path held at one moment."""

    entry: Entry
    data: bytes | None
    """``None`` for a big file: it is read again when it is sent."""
    stat: os.stat_result | None
    """``None`` for a link."""


class _OtherKindError(Exception):
    """A file is a link now, or a link a file."""


def read(scan: Scan, path: bytes, kind: int, *, known: Entry | None, alive: Callable[[], None]) -> Content | None:
    """Return what is at a path now; ``None`` where nothing is that a tree can have.

    Args:
        scan: The tree.
        path: One of its paths.
        kind: What was there when it was scanned.
        known: The entry that is expected. A big file that still has its size is not read: who sends it finds out.
        alive: Called now and then while a big file is read; it raises to end that.

    Raises:
        StepFailedError: it cannot be read, or keeps changing.
    """
    link = kind == LINK
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE)
        try:
            content = _link(scan, path) if link else _file(scan, path, known, alive)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except _OtherKindError:
            link = not link
        except OSError as error:
            raise StepFailedError(
                f"{os.fsdecode(path)}: {error.strerror}",
                hint="mend its permissions, or leave it out with a line in .provisionignore",
            ) from error
        else:
            if content is not None:
                return content
    raise StepFailedError(
        f"{os.fsdecode(path)} changes while it is read",
        hint="something writes it all the time: end that, or leave the file out with a line in .provisionignore",
    )


def open_big(scan: Scan, path: bytes) -> BinaryIO:
    """Open a file to read it piece by piece.

    Raises:
        FileNotFoundError: it is gone, or is no file any more.
    """
    try:
        fd = _opened(scan, path)
    except _OtherKindError as error:
        raise FileNotFoundError(errno.ENOENT, "no such file any more") from error
    return os.fdopen(fd, "rb", buffering=0)


def _opened(scan: Scan, path: bytes) -> int:
    try:
        return open_file(scan, path)
    except VanishedError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise _OtherKindError from error
        raise FileNotFoundError(errno.ENOENT, "no such file any more") from error


def _link(scan: Scan, path: bytes) -> Content:
    try:
        target = os.readlink(os.path.join(scan.root, path))
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise _OtherKindError from error
        raise
    return Content(Entry(LINK, len(target), hashlib.sha256(target).digest()), target, None)


def _file(scan: Scan, path: bytes, known: Entry | None, alive: Callable[[], None]) -> Content | None:
    fd = _opened(scan, path)
    try:
        before = os.fstat(fd)
        kind = EXECUTABLE if before.st_mode & stat.S_IXUSR else FILE
        size = before.st_size
        data = None
        if size >= BIG:
            if known is not None and known.size == size:
                return Content(Entry(kind, size, known.sha256), None, before)
            digest, read_size = _hashed(fd, alive)
        else:
            data = _whole(fd, size)
            digest, read_size = hashlib.sha256(data).digest(), len(data)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    if read_size != size or (after.st_size, after.st_mtime_ns) != (size, before.st_mtime_ns):
        return None
    return Content(Entry(kind, size, digest), data, after)


def _whole(fd: int, size: int) -> bytes:
    """Read a small file; one byte more than it should have is enough to know that it grew."""
    data = os.read(fd, size + 1)
    while len(data) < size:
        piece = os.read(fd, size + 1 - len(data))
        if not piece:
            break
        data += piece
    return data


def _hashed(fd: int, alive: Callable[[], None]) -> tuple[bytes, int]:
    digest, size = hashlib.sha256(), 0
    while True:
        piece = os.read(fd, PIECE)
        if not piece:
            return digest.digest(), size
        digest.update(piece)
        size += len(piece)
        alive()
