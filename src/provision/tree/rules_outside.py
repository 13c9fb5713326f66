"""Files outside the project's folder that say which of its files count: git's, of a work tree that it is a part of."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from provision.tree.head import git_folder

if TYPE_CHECKING:
    from pathlib import Path


class RulesOutside:
    """Looks at each of them: they are few, and the folders that they are in are no business of ours."""

    def __init__(self, root: Path) -> None:
        self._places = _places(os.path.realpath(root))
        self._seen = self._look()

    def changed(self) -> bool:
        """Return whether one is another than it was when this was last asked."""
        now = self._look()
        changed, self._seen = now != self._seen, now
        return changed

    def _look(self) -> list[tuple[int, ...]]:
        return [_looks(place) for place in self._places]


def _places(root: str) -> list[bytes]:
    git = git_folder(root)
    if git is None:
        return []
    inside = os.fsencode(root)
    places = [os.path.join(git.folder, b"index"), os.path.join(git.common, b"info", b"exclude")]
    folder = inside
    while folder != git.top:
        folder = os.path.dirname(folder)
        places.append(os.path.join(folder, b".gitignore"))
    return [one for one in places if not os.path.realpath(one).startswith(inside.rstrip(b"/") + b"/")]


def _looks(place: bytes) -> tuple[int, ...]:
    try:
        found = os.stat(place)
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
