"""The folders of a project as they are on the disk: where git does not answer, and below what is included."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.tree.ignored import Ignored

NEVER = "never sent"
SPECIAL = "not a file: a socket, a pipe or a device"


def entries(root: bytes, folder: bytes) -> Iterator[tuple[bytes, os.DirEntry[bytes]]]:
    """Return what a folder of the tree holds, with the paths from the root; not what never travels.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with os.scandir(os.path.join(root, folder)) as found:
            inside = list(found)
    except (FileNotFoundError, NotADirectoryError):
        return  # gone since it was listed
    except OSError as error:
        raise UsageError(
            f"{os.fsdecode(os.path.join(root, folder))}: {error.strerror}",
            hint="mend its permissions, or leave it out with a line in .provisionignore",
        ) from None
    for entry in inside:
        path = folder + b"/" + entry.name if folder else entry.name
        if entry.name != b".git" and path != b".provision":
            yield path, entry


def walk(
    root: bytes, ignored: Sequence[Ignored] = (), *, start: bytes = b"", out: list[tuple[bytes, str]] | None = None
) -> list[bytes]:
    """Return the paths below a folder that are no folders, links as they are.

    Args:
        root: The tree.
        ignored: What leaves paths out.
        start: The folder.
        out: Takes what is left out, folders with a slash behind, and by which line.
    """
    paths: list[bytes] = []
    folders = [start]
    while folders:
        for path, entry in entries(root, folders.pop()):
            is_folder = entry.is_dir(follow_symlinks=False)
            rule = next((found for one in ignored if (found := one.rule(path, folder=is_folder)) is not None), None)
            if rule is not None:
                if out is not None:
                    out.append((path + b"/" if is_folder else path, rule))
            elif is_folder:
                folders.append(path)
            else:
                paths.append(path)
    return paths


def included(root: bytes, patterns: Sequence[str]) -> tuple[set[bytes], list[str]]:
    """Return the paths that an ``include:`` names, folders with all in them, and notes on what names nothing."""
    paths: set[bytes] = set()
    notes: list[str] = []
    for pattern in patterns:
        found: set[bytes] = set()
        plain = os.fsencode(os.path.normpath(pattern))
        for path in [plain] if os.path.lexists(os.path.join(root, plain)) else _matching(root, pattern):
            if not _may_go(root, path):
                continue
            if path == b".":
                found.update(walk(root))
            elif stat.S_ISDIR(os.lstat(os.path.join(root, path)).st_mode):
                found.update(walk(root, start=path))
            else:
                found.add(path)
        if not found:
            notes.append(f"include: {pattern} matches no file")
        paths |= found
    return paths, notes


def _may_go(root: bytes, path: bytes) -> bool:
    parts = path.split(b"/")
    if path.startswith((b"/", b"../")) or path == b".." or b".git" in parts or parts[0] == b".provision":
        return False
    return not any(os.path.islink(os.path.join(root, *parts[:count])) for count in range(1, len(parts)))


def _matching(root: bytes, pattern: str) -> list[bytes]:
    from pathlib import Path

    if not any(one in pattern for one in "*?["):
        return []
    place = Path(os.fsdecode(root))
    try:
        return sorted(os.fsencode(path.relative_to(place)) for path in place.glob(pattern))
    except (ValueError, NotImplementedError, IndexError):
        return []
