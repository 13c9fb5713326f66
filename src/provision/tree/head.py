"""At which commit a work tree is, read from git's own files: to ask git takes longer than a sync without changes."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_COMMIT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_HEADS = b"refs/heads/"
_LONGEST = 1 << 20


class Head(NamedTuple):
    """Where HEAD points."""

    commit: str
    branch: str | None
    """``None`` when detached."""


def head(root: str | os.PathLike[str]) -> Head | None:
    """Return the commit and branch; ``None`` outside git, before the first commit, or where it is kept another way.

    The layout is that of gitrepository-layout(5): HEAD, loose and packed references, and gitfiles of worktrees.
    """
    folder = _git_folder(os.fsencode(os.path.abspath(root)))
    said = _read(folder, b"HEAD") if folder is not None else None
    if folder is None or said is None:
        return None
    if not said.startswith(b"ref: "):
        return Head(said.decode(), None) if _COMMIT.fullmatch(said) else None
    name = said[5:].strip()
    common = os.path.join(folder, _read(folder, b"commondir") or b".")
    commit = _read(folder, name) or _read(common, name) or _packed(common, name)
    if not name.startswith(_HEADS) or b".." in name or commit is None or not _COMMIT.fullmatch(commit):
        return None
    return Head(commit.decode(), os.fsdecode(name[len(_HEADS) :]))


def _git_folder(folder: bytes) -> bytes | None:
    while True:
        place = os.path.join(folder, b".git")
        if os.path.isdir(place):
            return place
        said = _read(folder, b".git")
        if said is not None and said.startswith(b"gitdir: "):
            return os.path.join(folder, said[8:])
        if folder in (b"/", b""):
            return None
        folder = os.path.dirname(folder)


def _packed(common: bytes, name: bytes) -> bytes | None:
    for line in (_read(common, b"packed-refs") or b"").split(b"\n"):
        commit, _, reference = line.partition(b" ")
        if reference == name:
            return commit
    return None


def _read(folder: bytes, name: bytes) -> bytes | None:
    try:
        with open(os.path.join(folder, name), "rb") as stream:
            return stream.read(_LONGEST).strip()
    except OSError:
        return None
