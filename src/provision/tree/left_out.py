"""What of the project's folder is not sent, and which line of which file says so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from provision.tree.counted import GITIGNORE, Counted
from provision.tree.git import ignored
from provision.tree.ignored import Ignored
from provision.tree.walk import NEVER, SPECIAL, included, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def left_out(root: Path, include: tuple[str, ...] = ()) -> list[tuple[bytes, str]]:
    """Return what is left out, in order: folders as one with a slash behind, each with ``file:line:pattern``.

    Raises:
        UsageError: the files cannot be listed.
    """
    place = os.path.abspath(os.fsencode(root))
    counted = Counted(place)
    counted.fill(include, lambda: None)
    sent = {path for path, _ in counted.found}
    out: dict[bytes, str] = {}
    if counted.repositories:
        for prefix in counted.repositories:
            for path, rule in ignored(os.path.join(place, prefix)):
                out[prefix + path] = _within(prefix, rule)
        out.update(counted.left)
    else:
        found: list[tuple[bytes, str]] = []
        walk(place, (Ignored(place, GITIGNORE), counted.provisionignore), out=found)
        out.update(found)
    out.update(counted.skipped)
    folders = {b""}.union(*({path[:at] for at, one in enumerate(path) if one == ord("/")} for path in sent))
    for folder in folders:
        out.update(_odd_ones(place, folder))
    wanted = included(place, include)[0] if include else set()
    return sorted((path, rule) for path, rule in out.items() if path not in wanted)


def _odd_ones(root: bytes, folder: bytes) -> Iterator[tuple[bytes, str]]:
    try:
        with os.scandir(os.path.join(root, folder)) as inside:
            for entry in inside:
                path = os.path.join(folder, entry.name)
                if entry.name == b".git" or path == b".provision":
                    yield path + b"/" * entry.is_dir(follow_symlinks=False), NEVER
                elif not (entry.is_symlink() or entry.is_file() or entry.is_dir()):
                    yield path, SPECIAL
    except OSError:
        return  # gone, or through a link


def _within(prefix: bytes, rule: str) -> str:
    """Return a rule of a repository below the root with its file's path from the root."""
    return rule if not prefix or rule.startswith("/") else os.fsdecode(prefix) + rule
