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


class GitFolder(NamedTuple):
    """Where git keeps what it knows of a work tree."""

    top: bytes
    """The work tree."""
    folder: bytes
    """With its index; in a linked work tree or a submodule elsewhere than in `top`."""
    common: bytes
    """With what all work trees of the repository share."""


def head(root: str | os.PathLike[str]) -> Head | None:
    """Return the commit and branch; ``None`` outside git, before the first commit, or where it is kept another way.

    The layout is that of gitrepository-layout(5): HEAD, loose and packed references, and gitfiles of worktrees.
    """
    git = git_folder(root)
    said = _read(git.folder, b"HEAD") if git is not None else None
    if git is None or said is None:
        return None
    if not said.startswith(b"ref: "):
        return Head(said.decode(), None) if _COMMIT.fullmatch(said) else None
    name = said[5:].strip()
    commit = _read(git.folder, name) or _read(git.common, name) or _packed(git.common, name)
    if not name.startswith(_HEADS) or b".." in name or commit is None or not _COMMIT.fullmatch(commit):
        return None
    return Head(commit.decode(), os.fsdecode(name[len(_HEADS) :]))


def git_folder(root: str | os.PathLike[str]) -> GitFolder | None:
    """Return where git keeps what it knows of a project, which may be a part of a work tree; ``None`` outside git."""
    top = os.fsencode(os.path.abspath(root))
    while True:
        place = os.path.join(top, b".git")
        said = _read(top, b".git") or b""
        folder = os.path.join(top, said[8:]) if said.startswith(b"gitdir: ") else place
        if folder != place or os.path.isdir(place):
            return GitFolder(top, folder, os.path.join(folder, _read(folder, b"commondir") or b"."))
        if top in (b"/", b""):
            return None
        top = os.path.dirname(top)


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
