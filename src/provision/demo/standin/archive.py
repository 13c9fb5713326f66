"""Conda packages as files: contents become one ``.conda`` archive and its entry in repodata.json.

The inner archives are zstd frames of stored blocks: any zstd reads them, and writing them needs no library.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MAGIC = b"\x28\xb5\x2f\xfd"
WINDOW_1_MIB = b"\x00\x50"
BLOCK = 128 * 1024
PLACEHOLDER = "/standin_placeholder" + "_placehold" * 20
TIMESTAMP_MS = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a package: its bytes or the file they are in, or the target of a link."""

    path: str
    content: bytes = b""
    source: Path | None = None
    mode: int = 0o644
    link: str | None = None
    has_placeholder: bool = False

    def read(self) -> bytes:
        """Return the contents."""
        return self.source.read_bytes() if self.source else self.content


@dataclass(frozen=True, slots=True)
class Package:
    """A package to be: its name, what it needs, and its files (lazily, for they may be many)."""

    name: str
    version: str
    build: str
    entries: tuple[Entry, ...]
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    build_number: int = 0
    noarch: str | None = None
    entry_points: tuple[str, ...] = ()
    summary: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """Return NAME-VERSION-BUILD."""
        return f"{self.name}-{self.version}-{self.build}"

    def index(self, subdir: str) -> dict[str, Any]:
        """Return info/index.json."""
        document: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": self.build_number,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "license": "made for tests and demonstrations",
            "subdir": subdir,
            "timestamp": TIMESTAMP_MS,
        }
        return {**document, "noarch": self.noarch} if self.noarch else document


def write(package: Package, folder: Path) -> tuple[str, dict[str, Any]]:
    """Write the archive into a channel's folder of one platform; return its file name and repodata entry."""
    index = package.index(folder.name)
    paths = [_path_entry(entry) for entry in package.entries]
    about = {
        "summary": package.summary or f"{package.name}, made by the stand-in (not conda)",
        "extra": package.extra,
    }
    info = [
        Entry("info/index.json", json.dumps(index).encode()),
        Entry("info/paths.json", json.dumps({"paths": paths, "paths_version": 1}).encode()),
        Entry("info/about.json", json.dumps(about).encode()),
        Entry("info/files", "".join(f"{entry.path}\n" for entry in package.entries).encode()),
    ]
    if package.noarch:
        kind = {"type": package.noarch, "entry_points": list(package.entry_points)}
        info.append(Entry("info/link.json", json.dumps({"noarch": kind, "package_metadata_version": 1}).encode()))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{package.stem}.conda"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("metadata.json"), json.dumps({"conda_pkg_format_version": 2}))
        for name, entries in (("info", info), ("pkg", list(package.entries))):
            with archive.open(zipfile.ZipInfo(f"{name}-{package.stem}.tar.zst"), "w", force_zip64=True) as member:
                _tar_zst(entries, member)
    content = target.read_bytes()
    sums = {
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return target.name, {**index, **sums, "size": len(content)}


def _path_entry(entry: Entry) -> dict[str, Any]:
    if entry.link is not None:
        return {
            "_path": entry.path,
            "path_type": "softlink",
            "sha256": hashlib.sha256(b"").hexdigest(),
            "size_in_bytes": 0,
        }
    content = entry.read()
    document: dict[str, Any] = {
        "_path": entry.path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }
    return {**document, "prefix_placeholder": PLACEHOLDER, "file_mode": "text"} if entry.has_placeholder else document


def _tar_zst(entries: list[Entry], target: IO[bytes]) -> None:
    writer = _StoredFrame(target)
    with tarfile.open(fileobj=writer, mode="w|", format=tarfile.GNU_FORMAT, bufsize=BLOCK) as tar:
        for member, content in members(entries):
            tar.addfile(member, io.BytesIO(content))
    writer.finish()


def members(entries: Iterable[Entry]) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Yield each entry as a tar member and its contents, all of one time and owner."""
    for entry in entries:
        member = tarfile.TarInfo(entry.path)
        member.mtime = TIMESTAMP_MS // 1000
        if entry.link is not None:
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.link, 0o777
            yield member, b""
            continue
        content = entry.read()
        member.size, member.mode = len(content), entry.mode
        yield member, content


class _StoredFrame(io.RawIOBase):
    """A zstd frame of raw blocks (RFC 8878, 3.1.1.2.1) written as it is fed."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._pending = bytearray()
        target.write(MAGIC + WINDOW_1_MIB)

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pending += piece
        while len(self._pending) > BLOCK:
            self._block(bytes(self._pending[:BLOCK]), last=False)
            del self._pending[:BLOCK]
        return len(piece)

    def finish(self) -> None:
        """Write what is left as the last block."""
        self._block(bytes(self._pending), last=True)

    def _block(self, piece: bytes, *, last: bool) -> None:
        self._target.write((len(piece) << 3 | last).to_bytes(3, "little") + piece)
