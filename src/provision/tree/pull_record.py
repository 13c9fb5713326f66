"""What earlier pulls brought, and where unfinished files come from: kept in our state folder, never beside the files.

Damage, or a folder that cannot be written, is as if nothing had been pulled before: then less is resumed, and what
differs here is not overwritten unasked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

GATHERED = 512
"""Lines that are written at once."""
_NUMBERS = 4


class Stamp(NamedTuple):
    """A file that a pull brought: size and mtime (nanoseconds) as they are here, and as they were on the host."""

    size: int
    mtime_ns: int
    host_size: int
    host_mtime_ns: int


class Source(NamedTuple):
    """Where an unfinished file comes from; it is only gone on with while all of this is the same."""

    host: str
    path: str
    size: int
    mtime_ns: int


class Record:
    """What pulls brought into one folder, and the sources of its unfinished files."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._base = os.fsencode(os.path.realpath(folder))
        self._state = _state_folder(environ) / "pull"
        self._file = self._state / hashlib.sha256(self._base).hexdigest()[:16]
        self._new: list[bytes] = []
        self._known = _read(self._file)

    def stamp(self, path: bytes) -> Stamp | None:
        """Return what a pull brought there."""
        return self._known.get(path)

    def brought(self, path: bytes, stamp: Stamp) -> None:
        """Note what a pull has brought."""
        self._known[path] = stamp
        self._new.append(b" ".join(str(one).encode() for one in stamp) + b" " + path + b"\0")
        if len(self._new) >= GATHERED:
            self.save()

    def save(self) -> None:
        """Write what is not written yet."""
        data, self._new = b"".join(self._new), []
        if not data:
            return
        with contextlib.suppress(OSError):
            self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(self._file, flags, 0o600)
            try:
                os.write(file, data)
            finally:
                os.close(file)

    def source(self, path: bytes) -> Source | None:
        """Return where the unfinished file for this path comes from."""
        try:
            found = json.loads(self._source(path).read_bytes())
            return Source(found["host"], found["path"], found["size"], found["mtime_ns"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def began(self, path: bytes, source: Source) -> None:
        """Note where the unfinished file for this path comes from."""
        place = self._source(path)
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = place.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps(source._asdict()))
            beside.chmod(0o600)
            beside.replace(place)

    def ended(self, path: bytes) -> None:
        """Forget the source: the file is whole, or thrown away."""
        with contextlib.suppress(OSError):
            self._source(path).unlink(missing_ok=True)

    def _source(self, path: bytes) -> Path:
        return self._state / "parts" / hashlib.sha256(self._base + b"/" + path).hexdigest()[:32]


def _state_folder(environ: Mapping[str, str]) -> Path:
    state = environ.get("XDG_STATE_HOME", "")
    home = Path(environ.get("HOME") or Path.home())
    return (Path(state) if state.startswith("/") else home / ".local" / "state") / "provision"


def _read(file: Path) -> dict[bytes, Stamp]:
    known: dict[bytes, Stamp] = {}
    try:
        lines = file.read_bytes().split(b"\0")
    except OSError:
        return known
    for line in lines[:-1]:
        words = line.split(b" ", _NUMBERS)
        if len(words) == _NUMBERS + 1:
            with contextlib.suppress(ValueError):
                known[words[-1]] = Stamp(*map(int, words[:_NUMBERS]))
    return known
