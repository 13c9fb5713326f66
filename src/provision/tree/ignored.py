"""Which paths the ignore files of a tree leave out, and by which of their lines."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from provision.errors import BadFileError

if TYPE_CHECKING:
    from provision.tree.patterns import Pattern

LARGEST = 8 << 20
"""Bytes of an ignore file."""


class Ignored:
    """The files of one name (.gitignore or .provisionignore) in all folders of a tree.

    The last line that matches decides, in the file of the nearest folder where one does; below a folder that is left
    out nothing counts.
    """

    def __init__(self, root: bytes, name: bytes) -> None:
        self._root = root
        self._name = name
        self._files: dict[bytes, list[Pattern]] = {}
        self._folders: dict[bytes, tuple[bytes, str] | None] = {b"": None}

    def rule(self, path: bytes, *, folder: bool) -> str | None:
        """Return the line that leaves a path out (``file:line:pattern``), all folders above it being in."""
        text = path.decode("latin-1")
        above = path
        while above:
            above = above.rpartition(b"/")[0]
            relative = text[len(above) + bool(above) :]
            for one in reversed(self._patterns(above)):
                if (folder or not one.folders_only) and one.matches(relative):
                    if one.negated:
                        return None
                    place = os.fsdecode(os.path.join(above, self._name))
                    return f"{place}:{one.line}:{os.fsdecode(one.text)}"
        return None

    def above(self, folder: bytes) -> tuple[bytes, str] | None:
        """Return the topmost folder that is left out at or above this one, and the line that does it."""
        if folder in self._folders:
            return self._folders[folder]
        answer = self.above(folder.rpartition(b"/")[0])
        if answer is None:
            rule = self.rule(folder, folder=True)
            answer = None if rule is None else (folder, rule)
        self._folders[folder] = answer
        return answer

    def judge(self, path: bytes) -> tuple[bytes, str] | None:
        """Return why a file is left out: the topmost path that is (a folder with a slash behind), and the line."""
        outer = self.above(path.rpartition(b"/")[0])
        if outer is not None:
            return outer[0] + b"/", outer[1]
        rule = self.rule(path, folder=False)
        return None if rule is None else (path, rule)

    def _patterns(self, folder: bytes) -> list[Pattern]:
        known = self._files.get(folder)
        if known is None:
            known = self._files[folder] = self._read(os.path.join(folder, self._name))
        return known

    def _read(self, path: bytes) -> list[Pattern]:
        content = _content(os.path.join(self._root, path), os.fsdecode(path))
        if content is None:
            return []
        from provision.tree.patterns import MOST_DEEP, TooDeepError, patterns

        try:
            return list(patterns(content))
        except TooDeepError as error:
            raise BadFileError(
                f"{os.fsdecode(path)}:{error.args[0]}: more than {MOST_DEEP} ** in one pattern",
                hint="write it with fewer, or as several lines",
            ) from None


def _content(path: bytes, shown: str) -> bytes | None:
    """Return the content of an ignore file; as git does, one that is a link or no file is none."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            content = stream.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadFileError(
            f"{shown}: {error.strerror}", hint="it says what must not be sent: make it readable"
        ) from None
    if len(content) > LARGEST:
        raise BadFileError(f"{shown}: larger than {LARGEST >> 20} MiB")
    return content
