"""The manifest: every path of a tree with its kind, size and hash, in one canonical form whose digest names it."""

from __future__ import annotations

import hashlib
import re
import struct
from operator import ge
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
_NO_PATH = re.compile(
    # A name that is empty, "." or "..", or too long; our own folder at the top. In front of each path stands a NUL.
    rb"[\0/]\.{0,2}[\0/]|[^\0/]{%d}|\0\.provision[\0/]" % (LONGEST_NAME + 1)
)


class Entry(NamedTuple):
    """One path of a tree. Folders are not entries: they are there because of what is in them."""

    kind: int
    """`FILE`, `EXECUTABLE` or `LINK`."""
    size: int
    """Bytes of the content; of a link, of its target."""
    sha256: bytes
    """Of the content; of a link, of its target. 32 bytes."""


class Manifest:
    """A tree: its entries by path (bytes, relative, ``/`` between names), in the order of the paths' bytes.

    The canonical form is `blob`: magic, count, the paths each with a NUL behind, then the fixed records. What is in it
    is taken apart when it is first asked for: where two trees are the same, their digests say so.
    """

    __slots__ = ("_entries", "_records", "blob", "id")

    def __init__(self, blob: bytes, entries: Mapping[bytes, Entry] | None = None) -> None:
        self.blob = blob
        self.id = hashlib.sha256(blob).hexdigest()
        """The digest that names the tree: 64 hexadecimal digits."""
        self._entries = entries
        self._records: dict[bytes, bytes] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and self.blob == other.blob

    def __hash__(self) -> int:
        return hash(self.blob)

    def __len__(self) -> int:
        return int(_HEAD.unpack_from(self.blob)[1])

    @classmethod
    def of(cls, entries: Mapping[bytes, Entry]) -> Manifest:
        """Return the manifest of these entries, whatever their order."""
        ordered = {path: entries[path] for path in sorted(entries)}
        kinds, sizes, hashes = zip(*ordered.values(), strict=True) if ordered else ((), (), ())
        return cls(_packed(list(ordered), kinds, sizes, hashes), ordered)

    @classmethod
    def of_columns(
        cls, paths: Sequence[bytes], kinds: Sequence[int], sizes: Sequence[int], hashes: Sequence[bytes]
    ) -> Manifest:
        """Return the manifest of entries whose paths are in order, given by columns."""
        return cls(_packed(paths, kinds, sizes, hashes))

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
        joined = blob[_HEAD.size : _HEAD.size + length]
        if joined.count(b"\0") != count or joined[-1:] not in {b"", b"\0"}:
            raise ValueError("not a manifest: its names do not fit")
        wrong = _NO_PATH.search(b"\0" + joined)
        if wrong:
            raise ValueError(f"not a path in a tree: {wrong.group()[:60]!r}")
        names = joined.split(b"\0")[:-1]
        if any(map(ge, names, names[1:])):
            raise ValueError("not a manifest: its paths are not in order")
        if names and max(map(len, names)) > LONGEST_PATH:
            raise ValueError("not a path in a tree: too long")
        if not KINDS.issuperset(blob[_HEAD.size + length :: _RECORD.size]):
            raise ValueError("not a manifest: an entry of no known kind")
        return cls(blob)

    @property
    def entries(self) -> Mapping[bytes, Entry]:
        """The entries by path, in the order of the paths."""
        if self._entries is None:
            self._entries = {path: Entry._make(_RECORD.unpack(record)) for path, record in self.records.items()}
        return self._entries

    @property
    def records(self) -> Mapping[bytes, bytes]:
        """The packed entries by path: equal where the entries are, and had in a fraction of the time."""
        if self._records is None:
            _, _, length = _HEAD.unpack_from(self.blob)
            start, size = _HEAD.size + length, _RECORD.size
            names = self.blob[_HEAD.size : start].split(b"\0")[:-1]
            ends = range(start + size, len(self.blob) + 1, size)
            self._records = {name: self.blob[end - size : end] for name, end in zip(names, ends, strict=True)}
        return self._records

    def entry(self, path: bytes) -> Entry:
        """Return one entry; raises `KeyError`."""
        return Entry._make(_RECORD.unpack(self.records[path]))


def _packed(paths: Sequence[bytes], kinds: Sequence[int], sizes: Sequence[int], hashes: Sequence[bytes]) -> bytes:
    names = b"\0".join(paths) + b"\0" if paths else b""
    records = b"".join(map(_RECORD.pack, kinds, sizes, hashes))
    return _HEAD.pack(MAGIC, len(paths), len(names)) + names + records


def check_path(path: bytes) -> None:
    """Raise `ValueError` where this is not the path of something in a tree: absolute, ``..``, ``.provision``..."""
    if not path or len(path) > LONGEST_PATH or b"\0" in path or path.startswith(b"/") or path.endswith(b"/"):
        raise ValueError(f"not a path in a tree: {path[:60]!r}")
    parts = path.split(b"/")
    if parts[0] == b".provision" or any(part in (b"", b".", b"..") or len(part) > LONGEST_NAME for part in parts):
        raise ValueError(f"not a path in a tree: {path[:60]!r}")


EMPTY = Manifest.of({})
