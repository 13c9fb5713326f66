"""What a host's disk holds above the machine's own files, to prove that nothing changed."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

HASHED = 1 << 20
"""Files up to this many bytes are compared by content too, larger ones by size and time."""
WRITTEN_BY_LOGIN = frozenset(
    {
        "var/log/lastlog",
        "var/log/wtmp",
        "var/log/btmp",
        "var/log/journal",
        "var/lib/systemd/random-seed",
    }
)

THEIR_FOLDERS = frozenset(str(Path(path).parent) for path in WRITTEN_BY_LOGIN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or link: all that a write would change."""

    mode: int
    owner: int
    group: int
    size: int
    modified_ns: int
    content: str


def read_disk(layers: dict[str, Path]) -> dict[str, Entry]:
    """Return every entry of the layers, each under the absolute path at which the host sees the layer.

    A folder's modification time is part of its entry, so a file that came and went shows too. The records
    that a login itself writes (lastlog, wtmp, btmp, the journal) are left out.
    """
    found: dict[str, Entry] = {}
    for prefix, layer in layers.items():
        _walk(layer, prefix.rstrip("/"), found)
    return found


def _walk(folder: Path, shown: str, found: dict[str, Entry]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{shown}/{entry.name}"
            about = entry.stat(follow_symlinks=False)
            if path.lstrip("/") in WRITTEN_BY_LOGIN:
                continue
            found[path] = _entry(Path(entry.path), about, timed=path.lstrip("/") not in THEIR_FOLDERS)
            if entry.is_dir(follow_symlinks=False):
                _walk(Path(entry.path), path, found)


def _entry(path: Path, about: os.stat_result, *, timed: bool) -> Entry:
    content = ""
    if stat.S_ISLNK(about.st_mode):
        content = str(path.readlink())
    elif stat.S_ISREG(about.st_mode) and about.st_size <= HASHED:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    size = 0 if stat.S_ISDIR(about.st_mode) else about.st_size
    return Entry(about.st_mode, about.st_uid, about.st_gid, size, about.st_mtime_ns if timed else 0, content)
