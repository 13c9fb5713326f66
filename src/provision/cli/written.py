"""Files of the user's that provision writes: new ones never over another, changed ones by rename."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW_MODE = 0o644
"""Never writable by a group: an inventory that others can write is refused when it is read."""


def create(path: Path, text: str) -> None:
    """Write a file that is not there yet; another process sees all of it or nothing.

    Raises:
        UsageError: something stands there already, or the folder cannot be written.
    """
    with _part(path, text, NEW_MODE & ~_umask()) as part:
        try:
            os.link(part, path)
        except FileExistsError:
            raise UsageError(f"{path}: it is there already, and is left as it is") from None
        except OSError:
            _create_without_links(path, text)


def replace(path: Path, text: str) -> None:
    """Write a file anew by rename: its mode stays, and so does the link that leads to it.

    Raises:
        UsageError: its folder cannot be written.
    """
    real = Path(os.path.realpath(path))
    state = real.stat()
    with _part(real, text, stat.S_IMODE(state.st_mode)) as part:
        if (state.st_uid, state.st_gid) != (os.geteuid(), os.getegid()):
            # A file in someone else's project stays theirs, as far as we may give it away.
            with contextlib.suppress(OSError):
                os.chown(part, state.st_uid, state.st_gid)
                part.chmod(stat.S_IMODE(state.st_mode))
        part.replace(real)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep every other provision that writes in the folder waiting, so that no change is lost."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    try:
        # Some network file systems have no locks: then two additions in one instant are the user's own affair.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _part(path: Path, text: str, mode: int) -> Iterator[Path]:
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode())
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        yield part
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _create_without_links(path: Path, text: str) -> None:
    """Create a file where the file system has no hard links."""
    try:
        with path.open("x", encoding="utf-8", newline="") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: it is there already, and is left as it is") from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
