"""Which paths of a project count: what git says, or the same rules where there is no git; less .provisionignore."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.sync.part import PART, is_part
from provision.tree.git import in_work_tree, listed, start_listing
from provision.tree.ignored import Ignored
from provision.tree.walk import SPECIAL, included, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provision.tree.git import Listing

PROVISIONIGNORE = b".provisionignore"
UNFINISHED = "a pull that is not finished"
GITIGNORE = b".gitignore"

_CLOSED = re.compile(r"could not open directory '(.*)': (.*)$")
_FILE = stat.S_IFREG
_LINK = stat.S_IFLNK
_FOLDER = stat.S_IFDIR
_FORMAT = 0o170000


class Counted:
    """The files and links of a tree with their stat, and what is known of the rest."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.found: list[tuple[bytes, os.stat_result]] = []
        """In the order of the paths."""
        self.links: list[bytes] = []
        """Those of them that are symbolic links."""
        self.notes: list[str] = []
        self.skipped: list[tuple[bytes, str]] = []
        self.repositories: list[bytes] = []
        """Paths of the folders that gave their own git answer, the root's (empty) first; none outside git."""
        self.provisionignore = Ignored(root, PROVISIONIGNORE)
        self.left: dict[bytes, str] = {}
        """What .provisionignore left out, folders with a slash behind, and by which line."""

    def fill(self, include: tuple[str, ...], meanwhile: Callable[[], None]) -> None:
        """Find out.

        Args:
            include: Paths that count in any case.
            meanwhile: Is called while git works.

        Raises:
            UsageError: git cannot answer, or a folder cannot be read.
        """
        if in_work_tree(self.root):
            git = start_listing(self.root)
            meanwhile()
            self._take(self._answer(b"", self._listed(git, b"")))
            if not self.found and not self.skipped and any(name != b".git" for name in os.listdir(self.root)):
                self.notes.append("git tracks no file here and ignores all of them: nothing to send")
        else:
            meanwhile()
            rules = (Ignored(self.root, GITIGNORE), self.provisionignore)
            self._look(sorted(walk(self.root, rules)))
        if include:
            wanted, notes = included(self.root, include)
            self.notes += notes
            self._look(sorted(wanted.difference(path for path, _ in self.found)))
            self.found.sort()
        _check_names([path for path, _ in self.found])

    def _answer(self, prefix: bytes, raw: bytes) -> set[bytes]:
        """Read what one repository lists; repositories in it that it does not know are asked as well."""
        self.repositories.append(prefix)
        paths = set(raw.split(b"\0"))
        paths.discard(b"")
        if prefix:
            paths = {prefix + path for path in paths}
        if b"/\0" in raw:
            for path in [path for path in paths if path.endswith(b"/")]:
                paths.discard(path)
                paths |= self._enter(path)
        return paths

    def _enter(self, folder: bytes) -> set[bytes]:
        """Ask the repository in a folder (given with a slash behind); there is none where a submodule is not set up."""
        place = os.path.join(self.root, folder[:-1])
        if folder in self.repositories or os.path.islink(place):
            return set()
        if not os.path.lexists(os.path.join(place, b".git")):
            if os.path.isdir(place) and os.listdir(place):
                self.skipped.append((folder, "a submodule without its .git: git submodule update --init"))
            return set()
        return self._answer(folder, self._listed(start_listing(place), folder))

    def _listed(self, git: Listing, prefix: bytes) -> bytes:
        """Return what git lists below a folder; what it cannot read is no more than a warning to it.

        Raises:
            UsageError: a folder cannot be read: its files would count as removed.
        """
        place = self.root if not prefix else os.path.join(self.root, prefix[:-1])
        said: list[str] = []
        out = listed(git, place, notes=said)
        for line in said:
            closed = _CLOSED.search(line)
            if closed is None:
                self.notes.append(line)
                continue
            path = prefix + os.fsencode(closed[1].rstrip("/"))
            # Of something in it, so that a line for folders counts too.
            if self.provisionignore.judge(path + b"/any") is None:
                raise UsageError(
                    f"{os.fsdecode(os.path.join(self.root, path))}: {closed[2]}",
                    hint="mend its permissions, or leave it out with a line in .provisionignore",
                )
        return out

    def _take(self, paths: set[bytes]) -> None:
        """Look at what git listed, and in the submodules among it."""
        while paths:
            folders = _folders(paths)
            # What is below a link is tracked and no longer there: git never looks through one.
            wrong = [folder for folder in folders if folder and not self._is_folder(folder)]
            wrong += [folder for folder in (b".provision",) if folder in folders]
            if wrong:
                away = tuple(folder + b"/" for folder in wrong)
                paths = {path for path in paths if not path.startswith(away)}
            paths.discard(b".provision")
            if any(os.path.lexists(os.path.join(self.root, folder, PROVISIONIGNORE)) for folder in folders):
                paths = {path for path in paths if not self._left_out(path)}
            submodules = self._look(sorted(paths))
            paths = set[bytes]().union(*map(self._enter, submodules)) if submodules else set()
        self.found.sort()

    def _left_out(self, path: bytes) -> bool:
        answer = self.provisionignore.judge(path)
        if answer is not None:
            self.left[answer[0]] = answer[1]
        return answer is not None

    def _is_folder(self, folder: bytes) -> bool:
        try:
            return stat.S_ISDIR(os.lstat(os.path.join(self.root, folder)).st_mode)
        except OSError:
            return False

    def _look(self, paths: list[bytes]) -> list[bytes]:
        """Look at each path; return the folders among them (a slash behind), which are submodules."""
        base, lstat, found = self.root.rstrip(b"/") + b"/", os.lstat, self.found
        submodules = []
        for path in paths:
            try:
                status = lstat(base + path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise UsageError(
                    f"{os.fsdecode(base + path)}: {error.strerror}",
                    hint="mend the permissions of its folder, or leave it out with a line in .provisionignore",
                ) from None
            kind = status.st_mode & _FORMAT
            if kind == _FILE:
                if path.endswith(PART) and is_part(path.rpartition(b"/")[2]):
                    self.skipped.append((path, UNFINISHED))
                    continue
                found.append((path, status))
            elif kind == _LINK:
                found.append((path, status))
                self.links.append(path)
            elif kind == _FOLDER:
                submodules.append(path + b"/")
            else:
                self.skipped.append((path, SPECIAL))
        return submodules


def _folders(paths: Iterable[bytes]) -> set[bytes]:
    """Return every folder that a path is in, the root as an empty path."""
    folders = {path.rpartition(b"/")[0] for path in paths}
    todo = folders
    while todo:
        todo = {folder.rpartition(b"/")[0] for folder in todo} - folders
        folders |= todo
    return folders


def _check_names(paths: list[bytes]) -> None:
    """Raise `UsageError` for a path that no Linux host can hold; a Mac's names may be longer."""
    from provision.sync.manifest import LONGEST_NAME, LONGEST_PATH

    if max(map(len, paths), default=0) <= LONGEST_NAME:
        return
    for path in paths:
        if len(path) > LONGEST_PATH or any(len(name) > LONGEST_NAME for name in path.split(b"/")):
            raise UsageError(
                f"{os.fsdecode(path)}: a host cannot hold names of more than {LONGEST_NAME} bytes "
                f"or paths of more than {LONGEST_PATH}",
                hint="rename it, or leave it out with a line in .provisionignore",
            )
