"""The coded stream: zstd or gzip at their quickest, and what is compressed already as it is.

Formats: RFC 8878 (zstd: frames concatenated, raw blocks), RFC 1952 and 1951 (gzip: members concatenated, stored
blocks). The levels: anything above costs more time than the link saves.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import zstandard

CODECS = ("zstd", "gzip", "none")
"""The best first."""
LEVEL = 1
SAMPLE = 64 << 10
"""Bytes that are tried where a name says nothing; content below this size is compressed without a question."""
WORTH = 0.95
"""What does not become smaller than this share of itself travels as it is."""
DENSE = frozenset(
    b"7z aac avi avif bz2 deb flac gif gz heic jar jpeg jpg lz4 lzma m4a m4v mkv mov mp3 mp4 npz ogg opus parquet png"
    b" rar rpm tbz2 tgz txz webm webp whl xz zip zst".split()
)
"""Suffixes of content that is compressed already."""

_RAW_HEAD = b"\x28\xb5\x2f\xfd\x00\x38"
"""A frame's magic; no content size, checksum or dictionary; a window of 128 KiB."""
_RAW_MOST = 128 << 10
_RAW_LAST = b"\x01\x00\x00"


GATHERED = 256 << 10
"""Bytes that are compressed at once: each call of the library costs as much as a small file."""


class Encoder(Protocol):
    """Makes a coded stream, piece by piece."""

    def write(self, data: bytes, *, raw: bool = False) -> bytes:
        """Take content, to be left as it is where it is `raw`; return what of the stream is ready."""

    def end(self) -> bytes:
        """Return the rest, so that everything taken can be decoded; what comes then begins anew."""


def encoder(name: str) -> Encoder:
    """Return an encoder for one of `CODECS`."""
    makers: dict[str, Callable[[], Encoder]] = {"zstd": _Zstd, "gzip": _Gzip, "none": _Plain}
    return makers[name]()


def chosen(offered: tuple[str, ...]) -> str:
    """Return the best codec among those that a host offers."""
    return next((one for one in CODECS if one in offered), "none")


def is_dense(path: bytes, size: int, sample: bytes) -> bool:
    """Whether content is not worth compressing: by its name, else by its first `SAMPLE` bytes."""
    if size < SAMPLE:
        return False
    suffix = path.rpartition(b"/")[2].rpartition(b".")[2].lower()
    return suffix in DENSE or len(zlib.compress(sample[:SAMPLE], LEVEL)) > WORTH * len(sample[:SAMPLE])


class _Zstd:
    def __init__(self) -> None:
        # Ten milliseconds that a run without a transfer does not need.
        import zstandard

        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_content_size=False)
        self._frame: zstandard.ZstdCompressionObj | None = None
        self._raw = False
        self._gathered: list[bytes] = []
        self._size = 0

    def write(self, data: bytes, *, raw: bool = False) -> bytes:
        if raw:
            return self._as_it_is(data)
        before = self.end() if self._raw else b""
        self._gathered.append(data)
        self._size += len(data)
        return before + (self._compressed() if self._size >= GATHERED else b"")

    def _compressed(self) -> bytes:
        data, self._gathered, self._size = b"".join(self._gathered), [], 0
        if self._frame is None:
            self._frame = self._compressor.compressobj()
        return self._frame.compress(data)

    def _as_it_is(self, data: bytes) -> bytes:
        parts = []
        if not self._raw:
            parts += [self.end(), _RAW_HEAD]
            self._raw = True
        for at in range(0, len(data), _RAW_MOST):
            piece = data[at : at + _RAW_MOST]
            parts += [(len(piece) << 3).to_bytes(3, "little"), piece]
        return b"".join(parts)

    def end(self) -> bytes:
        raw, self._raw = self._raw, False
        if raw:
            return _RAW_LAST
        before = self._compressed() if self._gathered else b""
        frame, self._frame = self._frame, None
        return before + (frame.flush() if frame is not None else b"")


class _Gzip:
    def __init__(self) -> None:
        self._member: zlib._Compress | None = None
        self._raw = False

    def write(self, data: bytes, *, raw: bool = False) -> bytes:
        before = self.end() if raw != self._raw else b""
        if self._member is None:
            self._raw = raw
            self._member = zlib.compressobj(0 if raw else LEVEL, zlib.DEFLATED, 31)
        return before + self._member.compress(data)

    def end(self) -> bytes:
        member, self._member = self._member, None
        return member.flush() if member is not None else b""


class _Plain:
    def write(self, data: bytes, *, raw: bool = False) -> bytes:  # noqa: ARG002 - all of it is left as it is
        return data

    def end(self) -> bytes:
        return b""
