"""The Python files of the project: those that git does not ignore, or all but hidden ones and venvs without git."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from provision.errors import UsageError
from provision.tree.git import in_work_tree, listed, start_listing

_MOST = 20_000
_NOT_OURS = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist", "wandb"})
_MARKS = ("pyvenv.cfg", "conda-meta")
"""What stands in a folder that is an environment."""


def python_files(root: Path) -> tuple[PurePath, ...]:
    """Return the project's Python files, relative to its root."""
    found = _by_git(root)
    if found is None:
        found = _by_walking(root)
    return tuple(sorted(found)[:_MOST])


def _by_git(root: Path) -> list[PurePath] | None:
    place = os.fsencode(root)
    if not in_work_tree(place):
        return None
    try:
        out = listed(start_listing(place), place)
    except (UsageError, OSError):
        # git is not installed, or does not take the repository: the files are there all the same.
        return None
    names = (os.fsdecode(one) for one in out.split(b"\0") if one.endswith(b".py"))
    return [PurePath(one) for one in dict.fromkeys(names) if not _inside_environment(root, PurePath(one))]


def _inside_environment(root: Path, path: PurePath) -> bool:
    """Whether a file belongs to a venv that git was not told to ignore."""
    return any((root / folder / mark).exists() for folder in list(path.parents)[:-1] for mark in _MARKS)


def _by_walking(root: Path) -> list[PurePath]:
    found: list[PurePath] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [
            one
            for one in folders
            if not one.startswith(".")
            and one not in _NOT_OURS
            and not any(Path(folder, one, mark).exists() for mark in _MARKS)
        ]
        found += [Path(folder, one).relative_to(root) for one in files if one.endswith(".py")]
        if len(found) > _MOST:
            break
    return found
