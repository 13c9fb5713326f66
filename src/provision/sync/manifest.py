"""The manifest: every path of a tree with its kind, size and hash, in one canonical form whose digest names it."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = b"PVM1"
FILE = 1
EXECUTABLE = 2
LINK = 3
KINDS = frozenset({FILE, EXECUTABLE, LINK})
LONGEST_PATH = 4095
"""Bytes of a path; Linux takes no longer one in a call (PATH_MAX)."""
LONGEST_NAME = 255
MOST_ENTRIES = 2_000_000

_HEAD = struct.Struct("<4sIQ")
_RECORD = struct.Struct("<BQ32s")


class Entry(NamedTuple):
    """One path of a tree. Folders are not entries: they are there because of what is in them."""

    kind: int
    """`FILE`, `EXECUTABLE` or `LINK`."""
    size: int
    """Bytes of the content; of a link, of its target."""
    sha256: bytes
    """Of the content; of a link, of its target. 32 bytes."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A tree: entries by path (bytes, relative, ``/`` between names), in the order of the paths' bytes."""

    entries: Mapping[bytes, Entry]
    blob: bytes
    """The canonical form: magic, count, the paths each with a NUL behind, then the fixed records."""

    @classmethod
    def of(cls, entries: Mapping[bytes, Entry]) -> Manifest:
        """Return the manifest of these entries, whatever their order."""
        ordered = {path: entries[path] for path in sorted(entries)}
        names = b"".join(path + b"\0" for path in ordered)
        pack = _RECORD.pack
        records = b"".join(pack(*entry) for entry in ordered.values())
        return cls(ordered, _HEAD.pack(MAGIC, len(ordered), len(names)) + names + records)

    @classmethod
    def parse(cls, blob: bytes) -> Manifest:
        """Read a canonical form; what a host sends is not trusted.

        Raises:
            ValueError: it is none, or a path in it is not one of a tree.
        """
        if len(blob) < _HEAD.size:
            raise ValueError("not a manifest: too short")
        magic, count, length = _HEAD.unpack_from(blob)
        if magic != MAGIC or count > MOST_ENTRIES or len(blob) != _HEAD.size + length + count * _RECORD.size:
            raise ValueError("not a manifest: its head does not fit")
        names = blob[_HEAD.size : _HEAD.size + length].split(b"\0")
        if names.pop() != b"" or len(names) != count:
            raise ValueError("not a manifest: its names do not fit")
        previous = b""
        for name in names:
            if name <= previous:
                raise ValueError("not a manifest: its paths are not in order")
            previous = name
            check_path(name)
        records = map(Entry._make, _RECORD.iter_unpack(blob[_HEAD.size + length :]))
        entries = dict(zip(names, records, strict=True))
        if any(entry.kind not in KINDS for entry in entries.values()):
            raise ValueError("not a manifest: an entry of no known kind")
        return cls(entries, blob)

    @property
    def id(self) -> str:
        """The digest that names the tree: 64 hexadecimal digits."""
        return hashlib.sha256(self.blob).hexdigest()


def check_path(path: bytes) -> None:
    """Raise `ValueError` where this is not the path of something in a tree: absolute, ``..``, ``.provision``..."""
    if not path or len(path) > LONGEST_PATH or b"\0" in path or path.startswith(b"/") or path.endswith(b"/"):
        raise ValueError(f"not a path in a tree: {path[:60]!r}")
    parts = path.split(b"/")
    if parts[0] == b".provision" or any(part in (b"", b".", b"..") or len(part) > LONGEST_NAME for part in parts):
        raise ValueError(f"not a path in a tree: {path[:60]!r}")


EMPTY = Manifest.of({})
