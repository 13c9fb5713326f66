"""Reading files that others may have put something unexpected in place of."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class NotRegularFileError(OSError):
    """A folder, a fifo or a device stands where a file is expected."""


def read_regular(path: Path, limit: int | None = None) -> tuple[bytes, os.stat_result]:
    """Return the content and the status of an ordinary file, without ever waiting for it.

    Args:
        path: The file.
        limit: Bytes that it may have.

    Raises:
        NotRegularFileError: It is something else.
        OSError: It cannot be opened, or is larger than the limit (EFBIG).
    """
    # Without O_NONBLOCK a fifo would keep us until somebody writes to it.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        state = os.fstat(handle)
        _require_ordinary(path, state, limit)
        stream = os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise
    with stream:
        return stream.read(), state


def _require_ordinary(path: Path, state: os.stat_result, limit: int | None) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise NotRegularFileError(errno.EINVAL, "not a regular file", str(path))
    if limit is not None and state.st_size > limit:
        raise OSError(errno.EFBIG, f"too large ({state.st_size} bytes)", str(path))
