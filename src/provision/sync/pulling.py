"""What a host says when files are pulled from it, and what of it is believed.

The program ``send_files.py`` gets one request as JSON: ``root`` (what a relative path stands below), ``path`` (also a
pattern), ``codecs`` that we read, ``most`` entries that we take, maybe ``unlike``: the list of a job's snapshot, so
that only what differs from it is told. From then on both sides send messages: one byte
of kind, the payload's length (u32), the payload; all numbers big endian.

From the host:

- ``A`` JSON ``{"protocol": 1, "codec": n}``: the first one
- ``N`` a piece of the listing: records of kind u8, size u64, mtime in nanoseconds i64, length of path u16, length of
  target u16, path, target. A folder stands before what is in it; the first name of a path is the name of what
  matched. A record's number is its place in the listing.
- ``Z`` JSON ``{"entries": n, "bytes": n}``: the listing is complete
- ``U`` number u32, size u64, mtime i64: the file is another one than listed; it comes from its beginning
- ``D`` number u32, offset u64, codec u8, and a piece of at most 256 KiB of content, each coded by itself
- ``F`` number u32, how it ended u8, length u64, sha256 of the whole content as the host read it, and why text
- ``H`` bytes u64 of the present file that were read again only to be hashed: a sign of life
- ``E`` JSON ``{"kind", "message"}``: nothing more comes

From us: ``G`` with any number of asks, each a number u32 and the offset u64 from which on the content is wanted; the
host answers in that order. An offset of the whole size asks for the hash alone.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from provision.sync.manifest import EXECUTABLE, FILE, LINK, LONGEST_NAME, LONGEST_PATH
from provision.sync.sizes import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = 4
OTHER = 5
"""A device, a fifo, a socket."""
CLOSED = 6
"""Cannot be read there; the target says why."""
FILES = frozenset({FILE, EXECUTABLE})

SAME, GREW, CHANGED, UNREADABLE = range(4)
"""How a file ended: read whole; more was added behind what was read; it changed meanwhile; it cannot be read."""

PIECE = 256 << 10
MOST_ENTRIES = 200_000
MOST_LISTED = 64 << 20
"""Bytes of a listing."""
LARGEST = (1 << 63) - 1

_HEAD = struct.Struct(">cI")
_ENTRY = struct.Struct(">BQqHH")
_ASK = struct.Struct(">IQ")
_DATA = struct.Struct(">IQB")
_UPDATE = struct.Struct(">IQq")
_END = struct.Struct(">IBQ32s")
_BEAT = struct.Struct(">Q")
_LONGEST = {b"A": 4096, b"N": PIECE, b"Z": 4096, b"U": _UPDATE.size, b"D": _DATA.size + PIECE + 4096, b"F": 1024}
_LONGEST |= {b"H": _BEAT.size, b"E": 8192}


class BadMessageError(ValueError):
    """The host said what no honest program of ours says."""


class Listed(NamedTuple):
    """One path on the host."""

    number: int
    kind: int
    size: int
    mtime_ns: int
    path: bytes
    """From the name of what matched on, ``/`` between names."""
    target: bytes
    """Of a link; of what is closed, why."""

    @property
    def parts(self) -> tuple[bytes, ...]:
        """The names on the way there."""
        return tuple(self.path.split(b"/"))


class Piece(NamedTuple):
    """A piece of a file's content."""

    number: int
    offset: int
    content: bytes


class Update(NamedTuple):
    """A file is another one than was listed."""

    number: int
    size: int
    mtime_ns: int


class Ended(NamedTuple):
    """The end of a file."""

    number: int
    how: int
    length: int
    sha256: bytes
    why: str


class Messages:
    """Cuts the host's stream into messages, in bounded memory."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Take bytes, and give each message that is complete now.

        Raises:
            BadMessageError: a kind that there is not, or a length that it cannot have.
        """
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= _HEAD.size:
                kind, length = _HEAD.unpack_from(self._buffer, at)
                if length > _LONGEST.get(kind, -1):
                    raise BadMessageError(f"a message of kind {kind!r} and {length} bytes")
                if len(self._buffer) - at < _HEAD.size + length:
                    break
                begin = at + _HEAD.size
                at = begin + length
                yield kind, bytes(self._buffer[begin:at])
        finally:
            del self._buffer[:at]


@dataclass
class Listing:
    """What the host lists, checked while it comes."""

    asked: bytes
    """The path or pattern that was asked for."""
    most: int = MOST_ENTRIES
    most_bytes: int = MOST_LISTED
    entries: list[Listed] = field(default_factory=list)
    _bytes: int = 0
    _kinds: dict[bytes, int] = field(default_factory=dict)

    def add(self, piece: bytes) -> None:
        """Take a piece of it.

        Raises:
            BadMessageError: it lists what cannot be, or more than we take.
        """
        self._bytes += len(piece)
        if self._bytes > self.most_bytes:
            raise BadMessageError(f"a listing of more than {sized(self.most_bytes)}")
        at = 0
        while at < len(piece):
            if len(piece) - at < _ENTRY.size:
                raise BadMessageError("a piece of a listing that is cut off")
            kind, size, mtime, name, target = _ENTRY.unpack_from(piece, at)
            begin = at + _ENTRY.size
            at = begin + name + target
            if at > len(piece):
                raise BadMessageError("a piece of a listing that is cut off")
            path, rest = piece[begin : begin + name], piece[begin + name : at]
            self._take(Listed(len(self.entries), kind, size, mtime, path, rest))

    def end(self, payload: bytes) -> None:
        """Take the listing's end.

        Raises:
            BadMessageError: it is not the end of this listing.
        """
        if decoded(payload).get("entries") != len(self.entries) or not self.entries:
            raise BadMessageError("a listing whose end does not fit")

    @property
    def tops(self) -> tuple[bytes, ...]:
        """The names of what matched."""
        return tuple(one.path for one in self.entries if b"/" not in one.path)

    def _take(self, one: Listed) -> None:
        if len(self.entries) >= self.most:
            raise BadMessageError(f"a listing of more than {self.most} entries")
        check_path(one.path)
        folder, _, name = one.path.rpartition(b"/")
        if folder and self._kinds.get(folder) != FOLDER:
            raise BadMessageError(f"something below what is no folder: {one.path[:80]!r}")
        if not folder and not _was_asked(name, self.asked):
            raise BadMessageError(f"something that was not asked for: {name[:80]!r}")
        if one.path in self._kinds:
            raise BadMessageError(f"a path that is listed twice: {one.path[:80]!r}")
        if one.kind not in {*FILES, LINK, FOLDER, OTHER, CLOSED} or (one.size and one.kind not in FILES):
            raise BadMessageError(f"something of no known kind: {one.path[:80]!r}")
        if one.size > LARGEST:
            raise BadMessageError(f"a file of {one.size} bytes")
        if one.kind == LINK and (not one.target or b"\0" in one.target):
            raise BadMessageError(f"a link without a target: {one.path[:80]!r}")
        self._kinds[one.path] = one.kind
        self.entries.append(one)


def check_path(path: bytes) -> None:
    """Raise `BadMessageError` where a path could lead anywhere but below the place that it is put in."""
    parts = path.split(b"/")
    if (
        len(path) > LONGEST_PATH
        or b"\0" in path
        or any(part in (b"", b".", b"..") or len(part) > LONGEST_NAME for part in parts)
    ):
        raise BadMessageError(f"a path that is none: {path[:80]!r}")


def leads_out(path: bytes, target: bytes, floor: int) -> bool:
    """Return whether a link could lead out of the folder that the first `floor` names of its path lead to.

    ``..`` is taken at the beginning of a target alone: behind the name of another link it would lead up from wherever
    that one leads to.
    """
    if target.startswith(b"/"):
        return True
    names = [name for name in target.split(b"/") if name not in (b"", b".")]
    up = 0
    while up < len(names) and names[up] == b"..":
        up += 1
    return b".." in names[up:] or up > path.count(b"/") - floor


def alike(entries: list[Listed]) -> frozenset[bytes]:
    """Return the paths that are an earlier one's on a file system where ``A`` and ``a`` are the same."""
    import unicodedata

    # Hashes, as a path can be six times as large in this form.
    first: dict[bytes, bytes] = {}
    later: set[bytes] = set()
    for one in entries:
        plain = unicodedata.normalize("NFC", one.path.decode("utf-8", "surrogateescape").casefold())
        key = hashlib.sha256(plain.encode("utf-8", "surrogateescape")).digest()
        if first.setdefault(key, one.path) != one.path:
            later.add(one.path)
    return frozenset(later)


def asks(wanted: list[tuple[int, int]]) -> bytes:
    """Return the message that asks for files: pairs of number and offset."""
    payload = b"".join(_ASK.pack(*one) for one in wanted)
    return _HEAD.pack(b"G", len(payload)) + payload


def decoded(payload: bytes) -> dict[str, Any]:
    """Return a message's JSON.

    Raises:
        BadMessageError: it is none, or no object.
    """
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadMessageError("a message that is no JSON") from error
    if not isinstance(value, dict):
        raise BadMessageError("a message that is no JSON object")
    return value


def piece(payload: bytes) -> Piece:
    """Return a piece of content, decoded.

    Raises:
        BadMessageError: it is none, or larger than a piece may be.
    """
    if len(payload) <= _DATA.size:
        raise BadMessageError("a piece without content")
    number, offset, codec = _DATA.unpack_from(payload)
    data = payload[_DATA.size :]
    if codec == 1:
        data = _unzstd(data)
    elif codec == 2:  # noqa: PLR2004 - the number of gzip's own method
        data = _inflated(data)
    elif codec:
        raise BadMessageError("a piece in no known code")
    if not 0 < len(data) <= PIECE:
        raise BadMessageError("a piece that is empty or too large")
    return Piece(number, offset, data)


def update(payload: bytes) -> Update:
    """Return what a file is now.

    Raises:
        BadMessageError: it is no such message.
    """
    if len(payload) != _UPDATE.size:
        raise BadMessageError("an update that is none")
    found = Update(*_UPDATE.unpack(payload))
    if found.size > LARGEST:
        raise BadMessageError(f"a file of {found.size} bytes")
    return found


def ended(payload: bytes) -> Ended:
    """Return how a file ended.

    Raises:
        BadMessageError: it is no such message.
    """
    if len(payload) < _END.size:
        raise BadMessageError("an end that is none")
    number, how, length, digest = _END.unpack_from(payload)
    if how > UNREADABLE:
        raise BadMessageError("an end of no known kind")
    return Ended(number, how, length, digest, payload[_END.size :].decode("utf-8", "replace"))


def beat(payload: bytes) -> int:
    """Return how many bytes were read again.

    Raises:
        BadMessageError: it is no such message.
    """
    if len(payload) != _BEAT.size:
        raise BadMessageError("a sign of life that is none")
    return int(_BEAT.unpack(payload)[0])


def _was_asked(name: bytes, asked: bytes) -> bool:
    last = asked.rstrip(b"/").rpartition(b"/")[2]
    # A path that ends so says nothing about the name.
    return last in (b"", b".", b"..", b"~") or name == last or fnmatch.fnmatchcase(name, last)


def _unzstd(data: bytes) -> bytes:
    import zstandard

    try:
        # Asked first: what is decoded at once gets as much memory as its head says.
        size = zstandard.get_frame_parameters(data).content_size
        if not 0 < size <= PIECE:
            raise BadMessageError("a piece that is empty or too large")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=PIECE)
    except zstandard.ZstdError as error:
        raise BadMessageError("a piece that cannot be decoded") from error


def _inflated(data: bytes) -> bytes:
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(data, PIECE + 1)
    except zlib.error as error:
        raise BadMessageError("a piece that cannot be decoded") from error
    if not reader.eof:
        raise BadMessageError("a piece that is cut off or too large")
    return found
