"""The messages of the programs about jobs: a letter, the payload's length (u32, big endian), the payload."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

HEAD = struct.Struct(">cI")
PIECE_HEAD = struct.Struct(">QB")
STDOUT, STDERR, NOTE = 0, 1, 2
LIMITS = {
    b"E": 1 << 20,
    b"J": 256 << 20,
    b"O": 1 << 20,
    b"P": 64 << 10,
    b"S": 4 << 20,
    b"W": 64 << 10,
    b"X": 4 << 20,
}
"""Most bytes that each kind of message may have."""


class JobMessageError(ValueError):
    """What the host says is none of our protocol."""


class JobMessages:
    """Cuts what a host says into messages; nothing is kept for a message that may not be so long."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._buffer += data

    def next(self) -> tuple[bytes, bytes] | None:
        """Return the next message's kind and payload, or ``None`` where none is whole yet.

        Raises:
            JobMessageError: no such message, or one longer than its kind may be.
        """
        if len(self._buffer) < HEAD.size:
            return None
        kind, length = HEAD.unpack_from(self._buffer)
        if length > LIMITS.get(kind, -1):
            raise JobMessageError(f"a message of type {kind!r} with {length} bytes")
        end = HEAD.size + length
        if len(self._buffer) < end:
            return None
        payload = bytes(memoryview(self._buffer)[HEAD.size : end])
        del self._buffer[:end]
        return kind, payload


@dataclass(frozen=True, slots=True)
class LogPiece:
    """A piece of a job's log, of one stream."""

    offset: int
    stream: int
    """0 stdout, 1 stderr, 2 a note of the job's supervisor."""
    data: bytes

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + len(self.data)


def piece_of(payload: bytes) -> LogPiece:
    """Return the piece that an ``O`` message holds.

    Raises:
        JobMessageError: it holds none.
    """
    if len(payload) < PIECE_HEAD.size:
        raise JobMessageError("a piece of a log without a head")
    offset, stream = PIECE_HEAD.unpack_from(payload)
    if stream not in {STDOUT, STDERR, NOTE} or offset >= 1 << 62:
        raise JobMessageError(f"a piece of stream {stream} at {offset}")
    return LogPiece(offset, stream, payload[PIECE_HEAD.size :])


def object_of(payload: bytes) -> dict[str, Any]:
    """Return the JSON object that a message holds.

    Raises:
        JobMessageError: it holds none.
    """
    try:
        value = json.loads(payload, parse_constant=_no_number)
    except JobMessageError:
        raise
    except (ValueError, RecursionError) as error:
        raise JobMessageError("a message that is no JSON") from error
    if not isinstance(value, dict):
        raise JobMessageError("a message that is no JSON object")
    return value


def _no_number(name: str) -> float:
    raise JobMessageError(f"{name} is no number")
