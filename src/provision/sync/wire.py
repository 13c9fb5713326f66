"""The bytes of a conversation: messages of the host, blocks and records of the client. All numbers big endian."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from provision.sync.manifest import LINK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.sync.manifest import Entry

PROTOCOL = 1
BIG = 4 << 20
"""Bytes from which on a file travels as one that can be taken up in the middle."""
PIECE = 256 << 10
"""Most bytes of the coded stream in one block."""
HEAD = struct.Struct(">cI")
LIMITS = {
    b"A": 32 << 20,
    b"M": 512 << 20,
    b"S": 512 << 20,
    b"P": 64 << 10,
    b"R": 32 << 20,
    b"F": 32 << 20,
    b"E": 1 << 20,
}
"""Most bytes that each kind of message may have."""
MOST_VALUES = 500_000
"""Values in a message: a tree of so many files, all changed, can still be told."""
DEEPEST = 8
"""Levels of lists and objects in a message; ours have three."""

_SHORT = struct.Struct(">H")


class WireError(ValueError):
    """What the host says is none of our protocol."""


class Messages:
    """Cuts what a host says into messages; nothing is kept for a message that may not be so long."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._buffer += data

    @property
    def waiting(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._buffer)

    def next(self) -> tuple[bytes, bytes] | None:
        """Return the next message's type and payload, or ``None`` where none is whole yet.

        Raises:
            WireError: no such message, or one longer than its kind may be.
        """
        if len(self._buffer) < HEAD.size:
            return None
        kind, length = HEAD.unpack_from(self._buffer)
        if length > LIMITS.get(kind, -1):
            raise WireError(f"a message of type {kind!r} with {length} bytes")
        end = HEAD.size + length
        if len(self._buffer) < end:
            return None
        payload = bytes(memoryview(self._buffer)[HEAD.size : end])
        del self._buffer[:end]
        return kind, payload


def read_json(payload: bytes) -> dict[str, Any]:
    """Return the object that a message holds.

    Raises:
        WireError: it holds none, or one nested deeper or with more values than ours have.
    """
    # Before it is built: an empty list is two bytes on the wire and thirty times as much here.
    if sum(map(payload.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise WireError("more values than are believed")
    try:
        value = json.loads(payload.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise WireError(f"no JSON: {str(error)[:100]}") from error
    if not isinstance(value, dict) or _too_deep(value, DEEPEST):
        raise WireError("not the JSON that was expected")
    return value


def block(kind: bytes, payload: bytes = b"") -> bytes:
    """Return one block of what the client says."""
    return HEAD.pack(kind, len(payload)) + payload


def start(codec: str) -> bytes:
    """Return the block before the coded stream."""
    return block(b"J", json.dumps({"codec": codec}).encode())


def request(values: Mapping[str, object]) -> str:
    """Return the request as the receiver takes it: one line of ASCII."""
    return json.dumps({"protocol": PROTOCOL, **values})


def file_head(kind: int, path: bytes, size: int) -> bytes:
    """Return what goes before the content of a file below `BIG`."""
    return b"F" + bytes((kind,)) + _text(path) + size.to_bytes(4, "big")


def link_record(path: bytes, target: bytes) -> bytes:
    """Return the record of a symbolic link."""
    return b"L" + _text(path) + _text(target)


def big_head(kind: int, path: bytes, size: int, sha256: bytes, offset: int) -> bytes:
    """Return what goes before the content of a big file from `offset` on."""
    return b"B" + bytes((kind,)) + _text(path) + size.to_bytes(8, "big") + sha256 + offset.to_bytes(8, "big")


def copy_record(kind: int, path: bytes, source: bytes, size: int, sha256: bytes) -> bytes:
    """Return the record of a file whose content the host has under another path."""
    return b"K" + bytes((kind,)) + _text(path) + _text(source) + size.to_bytes(8, "big") + sha256


def staged_record(kind: int, path: bytes) -> bytes:
    """Return the record of a file that an earlier, broken sync brought to the host's staging."""
    return b"U" + bytes((kind,)) + _text(path)


def tried_record(path: bytes, entry: Entry) -> bytes:
    """Return the record of a file or link that is only tried: what it would be, without its content."""
    return b"V" + bytes((entry.kind,)) + _text(path) + entry.size.to_bytes(8, "big") + entry.sha256


def mode_record(kind: int, path: bytes) -> bytes:
    """Return the record of a file whose mode alone changes."""
    if kind == LINK:
        raise ValueError("a link has no mode")
    return b"M" + bytes((kind,)) + _text(path)


def remove_record(path: bytes) -> bytes:
    """Return the record of a path that must go."""
    return b"D" + _text(path)


def end_record(sha256: bytes) -> bytes:
    """Return the last record: the tree that is meant."""
    return b"Z" + sha256


def _text(value: bytes) -> bytes:
    return _SHORT.pack(len(value)) + value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _too_deep(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return not levels or any(_too_deep(one, levels - 1) for one in value.values())
    if isinstance(value, list):
        return not levels or any(_too_deep(one, levels - 1) for one in value)
    return False
