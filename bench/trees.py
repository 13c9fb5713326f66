"""Trees of text that looks like source code: the same for the same number of files, each a git work tree."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import random
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MEAN_BYTES = 5_900
"""Of a file; the sizes are spread as those of real code are: many small ones, a few ten times as large."""
SPREAD = 0.9
SMALLEST, LARGEST = 120, 120_000
IN_A_FOLDER = 20
FOLDERS_IN_A_PACKAGE = 12
EXECUTABLE_EACH, LINK_EACH = 100, 250
OLD = 1_767_225_600
"""The time of every file, in seconds: long ago, as that of most files of a real project is."""
LEFT_OUT = frozenset({".git", ".provision"})
"""What no tool is asked to send, at the top of a tree."""

KEYWORDS = ("def", "return", "if", "else", "for", "in", "import", "from", "class", "self", "None", "not", "with", "as")
SYLLABLES = (
    "ba",
    "con",
    "da",
    "e",
    "fi",
    "gra",
    "hy",
    "jo",
    "ka",
    "lo",
    "mo",
    "ner",
    "pre",
    "qui",
    "sta",
    "un",
    "xy",
    "zo",
)
MARKS = (" ", " ", " ", " ", "(", ")", ".", ", ", " = ", ": ", "\n    ", "\n        ", "\n    ", "\n\n\n")
MEAN_WORD = 8.3
"""Bytes of a word and the mark after it."""


@dataclass(slots=True)
class Tree:
    """A project's folder on the user's machine."""

    folder: Path
    size: int
    """Files and links, all that git knows."""
    files: tuple[str, ...]
    """What can be edited, in an order that visits far folders one after the other."""
    _edits: Iterator[int] = field(default_factory=itertools.count)

    def edit(self) -> None:
        """Change one file that no edit before has changed: two lines of the same length each time."""
        number = next(self._edits)
        with (self.folder / self.files[number % len(self.files)]).open("a") as file:
            file.write(f"\n# revision {number:012d}\n")

    def twin(self, folder: Path) -> Tree:
        """Return a copy with the same times, outside git, whose edits will be the same ones."""
        shutil.copytree(self.folder, folder, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        return Tree(folder, self.size, self.files)


def plant(folder: Path, count: int) -> Tree:
    """Write `count` files below a new folder, and commit them."""
    chance = random.Random(count)  # noqa: S311 - reproducible, and no secret
    words = _words(chance)
    weights = list(itertools.accumulate(1 / (rank + 8) for rank in range(len(words))))
    middle = math.log(MEAN_BYTES) - SPREAD**2 / 2
    files = []
    folder.mkdir(parents=True)
    (folder / ".gitignore").write_text("__pycache__/\n*.pt\n/data/\n")
    for number in range(1, count):
        name = _name(number)
        path = folder / name
        if number % IN_A_FOLDER == 1:
            path.parent.mkdir(parents=True, exist_ok=True)
        if number % LINK_EACH == 0:
            path.symlink_to(Path(_name(number - 1)).name)
            continue
        size = min(max(int(chance.lognormvariate(middle, SPREAD)), SMALLEST), LARGEST)
        parts = int(size / MEAN_WORD) + 1
        pairs = zip(
            chance.choices(words, cum_weights=weights, k=parts),
            chance.choices(MARKS, k=parts),
            strict=True,
        )
        path.write_text("".join(itertools.chain.from_iterable(pairs))[:size])
        if number % EXECUTABLE_EACH == 0:
            path.chmod(0o755)
        os.utime(path, (OLD, OLD))
        files.append(name)
    _commit(folder)
    chance.shuffle(files)
    return Tree(folder, count, tuple(files))


def digest(folder: Path) -> str:
    """Return a digest of every file and link below a folder: paths, kinds and contents."""
    whole = hashlib.sha256()
    for base, folders, names in os.walk(folder):
        if base == str(folder):
            folders[:] = [one for one in folders if one not in LEFT_OUT]
        folders.sort()
        linked = [one for one in folders if Path(base, one).is_symlink()]
        for name in sorted([*names, *linked]):
            path = Path(base, name)
            whole.update(f"{path.relative_to(folder)}\0".encode())
            if path.is_symlink():
                whole.update(b"link" + bytes(path.readlink()) + b"\0")
            else:
                kind = b"program" if path.stat().st_mode & 0o100 else b"file"
                whole.update(kind + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _name(number: int) -> str:
    place = (number - 1) // IN_A_FOLDER
    return f"src/package_{place // FOLDERS_IN_A_PACKAGE:04d}/part_{place % FOLDERS_IN_A_PACKAGE:02d}/m{number:06d}.py"


def _words(chance: random.Random) -> list[str]:
    made = {"_".join(_syllables(chance) for _ in range(chance.choice((1, 1, 1, 2)))) for _ in range(30_000)}
    rest = sorted(made - set(KEYWORDS))
    chance.shuffle(rest)
    return [*KEYWORDS, *rest]


def _syllables(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=chance.choice((2, 2, 3, 3))))


def _commit(folder: Path) -> None:
    who = {f"GIT_{role}_{what}": "bench" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    when = {f"GIT_{role}_DATE": f"{OLD} +0000" for role in ("AUTHOR", "COMMITTER")}
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **who, **when}
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "one")):
        # Without compression: how git keeps its objects is nothing to a copy of the files.
        settings = ("-c", "core.compression=0", "-c", "gc.auto=0")
        subprocess.run(["git", "-C", str(folder), *settings, *words], env=env, check=True)
