"""What the files of a project hashed to when they were last read, in one file that says so in a few milliseconds."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from provision.tree.state import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAGIC = b"PVI1"
SETTLED = 2_000_000_000
"""Nanoseconds between the last change of a file and its reading. A shorter time proves nothing: what was written right
after the reading may carry the same stamp (2 s is the coarsest of the file systems in use: FAT)."""
LARGEST = 1 << 30

_HEAD = struct.Struct("<4sIQI")
_RECORD = struct.Struct("<QqqQI32s")

Record = tuple[int, int, int, int, int, bytes]
"""Size, mtime_ns, ctime_ns, inode, mode and the SHA-256 of the content."""

UNKNOWN: Record = (0, 0, 0, 0, 0, bytes(32))
"""Equal to the stat of no file: a mode is never 0."""


class Index(NamedTuple):
    """The paths with a NUL behind each, in order, and a packed record for each."""

    names: bytes
    records: bytes

    def of(self, paths: Sequence[bytes]) -> Iterable[Record]:
        """Return the record of each path; `UNKNOWN` where there is none."""
        known = _RECORD.iter_unpack(self.records)
        if self.names == joined(paths):
            return known
        table = dict(zip(self.names.split(b"\0"), known, strict=False))
        return [table.get(path, UNKNOWN) for path in paths]


_FIRST = -(1 << 63)
"""The earliest time that an entry can hold, in ns since 1970: a file from before 1677 is read each time."""
EMPTY = Index(b"", b"")


def joined(paths: Sequence[bytes]) -> bytes:
    """Return paths with a NUL behind each."""
    return b"\0".join(paths) + b"\0" if paths else b""


def load(path: bytes) -> Index:
    """Read an index; one that is torn, not ours or of another version is as good as none."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            data = stream.read(LARGEST)
    except OSError:
        return EMPTY
    if len(data) < _HEAD.size:
        return EMPTY
    magic, count, length, check = _HEAD.unpack_from(data)
    if magic != MAGIC or len(data) != _HEAD.size + length + count * _RECORD.size:
        return EMPTY
    if zlib.crc32(memoryview(data)[_HEAD.size :]) != check:
        return EMPTY
    names = data[_HEAD.size : _HEAD.size + length]
    return EMPTY if names.count(b"\0") != count else Index(names, data[_HEAD.size + length :])


def save(path: bytes, paths: Sequence[bytes], records: Iterable[Record]) -> str | None:
    """Write an index as a whole; return why that could not be, which costs the next scan time and nothing else."""
    names = joined(paths)
    pack = _RECORD.pack
    body = names + b"".join([pack(*record) for record in records])
    return write_whole(path, _HEAD.pack(MAGIC, len(paths), len(names), zlib.crc32(body)) + body)


def record(status: os.stat_result, sha256: bytes, now: int) -> Record:
    """Return what to keep of a file that was read at that time (ns since 1970)."""
    if now - max(status.st_mtime_ns, status.st_ctime_ns) < SETTLED:
        return UNKNOWN
    if not all(_FIRST <= one < -_FIRST for one in (status.st_mtime_ns, status.st_ctime_ns)):
        return UNKNOWN
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode, sha256)
