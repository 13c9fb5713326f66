"""The file systems behind the paths that provision writes to."""

from __future__ import annotations

import re
from typing import NamedTuple

from provision.facts.lines import Lines, number
from provision.model.facts import Disk

_OCTAL = re.compile(r"\\([0-7]{3})")


def disks(lines: Lines) -> tuple[Disk, ...]:
    """Return one `Disk` for each path that was asked about and whose file system answered."""
    mounts = _mounts(lines)
    spaces = _spaces(lines)
    found: dict[str, Disk] = {}
    for text in lines.all("disk"):
        path, nearest, access = [*text.split("|"), "", "", ""][:3]
        space = spaces.get(nearest)
        if space is None or path in found:
            continue
        mount, kind, options = _behind(nearest, mounts)
        found[path] = Disk(
            path=path,
            file_system=kind,
            free=space.free,
            # Some file systems have no fixed number of inodes and say 0 of 0.
            free_inodes=space.free_inodes if space.inodes else None,
            noexec="noexec" in options,
            writable=access == "writable" and "ro" not in options,
            mount=mount,
        )
    return tuple(found.values())


def size(lines: Lines, folder: str) -> int | None:
    """Return the whole size, in bytes, of the file system at a folder."""
    space = _spaces(lines).get(folder)
    return None if space is None else space.size


class _Space(NamedTuple):
    free: int
    free_inodes: int
    inodes: int
    size: int


def _spaces(lines: Lines) -> dict[str, _Space]:
    """What ``stat -f`` said of each folder: free blocks, block size, free and all inodes, all blocks."""
    found: dict[str, _Space] = {}
    for text in lines.all("space"):
        folder, _, rest = text.rpartition("|")
        match [number(word) for word in rest.split()]:
            case [int(free), int(block), int(free_inodes), int(inodes), int(blocks)]:
                found[folder] = _Space(free * block, free_inodes, inodes, blocks * block)
    return found


def _mounts(lines: Lines) -> list[tuple[str, str, frozenset[str]]]:
    found = []
    for text in lines.all("mount"):
        match text.split(" "):
            case [_, point, kind, options, *_]:
                found.append((_unescape(point), kind, frozenset(options.split(","))))
    return found


def _unescape(text: str) -> str:
    """Undo the octal escapes of /proc/self/mounts."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8) % 256), text)


def _behind(folder: str, mounts: list[tuple[str, str, frozenset[str]]]) -> tuple[str, str, frozenset[str]]:
    """Return the mount with the longest point above the folder; of several at one point the last counts."""
    best: tuple[str, str, frozenset[str]] = ("/", "unknown", frozenset())
    for point, kind, options in mounts:
        above = point in {"/", folder} or folder.startswith(f"{point}/")
        if above and len(point) >= len(best[0]):
            best = (point, kind, options)
    return best
