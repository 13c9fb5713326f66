"""The file on this machine that remembers what was met: JSON lines, the user's alone, with a bound."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from provision.report.entries import as_json, entry_of, sightings
from provision.report.log import logs_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from provision.report.entries import Entry

LARGEST = 1 << 20
"""Bytes of the file; the oldest entries are dropped when it grows larger."""
KEPT = LARGEST * 3 // 4
"""Bytes that are left then, so that it is not written anew at each run."""
PATIENCE = 2.0
"""Seconds to wait for another run that writes; then what is to be said is only added."""
_PAUSE = 0.02


def met_file(environ: Mapping[str, str]) -> Path:
    """Return ``provision/met.jsonl`` in the XDG state folder."""
    return logs_folder(environ).parent / "met.jsonl"


def open_mark(environ: Mapping[str, str]) -> Path:
    """Return the empty file that is there while something is open: most runs need to know no more than that."""
    return logs_folder(environ).parent / "met.open"


def read(path: Path) -> list[Entry]:
    """Return the entries, the oldest first; lines that are none are passed over.

    Raises:
        OSError: the file is there, and cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return []
    with os.fdopen(descriptor, "rb") as stream:
        state = os.fstat(stream.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(0, "not a file", str(path))
        # Where no lock can be had nobody drops what is old: the newest is what counts.
        stream.seek(max(0, state.st_size - 2 * LARGEST))
        return [one for line in stream.read(2 * LARGEST).splitlines() if (one := _entry(line)) is not None]


def add(environ: Mapping[str, str], more: Callable[[Sequence[Entry]], Sequence[Entry]]) -> None:
    """Add the entries that follow from those that are there; other runs wait meanwhile.

    Raises:
        OSError: the file cannot be read or written.
    """
    path, mark = met_file(environ), open_mark(environ)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(path.parent) as alone:
        standing = read(path)
        new = more(standing)
        if new:
            _append(path, "".join(f"{json.dumps(as_json(one))}\n" for one in new).encode())
            if alone and path.stat().st_size > LARGEST:
                _drop_oldest(path)
        if not any(one.solved is None for one in sightings([*standing, *new])):
            mark.unlink(missing_ok=True)
        elif new:
            mark.touch(mode=0o600)


def _entry(line: bytes) -> Entry | None:
    try:
        return entry_of(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _append(path: Path, data: bytes) -> None:
    flags = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        state = os.fstat(descriptor)
        if state.st_size and os.pread(descriptor, 1, state.st_size - 1) != b"\n":
            # A laptop went down in the middle of a line: it must not spoil ours.
            data = b"\n" + data
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)


def _drop_oldest(path: Path) -> None:
    """Write the newest entries to a new file and put it in the place of the old one."""
    data = path.read_bytes()
    begin = data.find(b"\n", len(data) - KEPT - 1) + 1
    handle, name = tempfile.mkstemp(prefix=".met-", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data[begin:])
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock and yield whether it could be had: a stuck run or a file system must not hold us up."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield _locked(handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        except OSError:
            return False
        else:
            return True
