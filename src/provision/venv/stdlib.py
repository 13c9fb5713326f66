"""Which modules of the standard library an interpreter of this machine lacks, by its files: it is not started.

A Python built from source leaves out each module whose library's headers were missing, and says so only in the middle
of its build's output: `import lzma` then fails years later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NEEDED = {
    "_lzma": "liblzma-dev",
    "_bz2": "libbz2-dev",
    "_ssl": "libssl-dev",
    "_ctypes": "libffi-dev",
    "_sqlite3": "libsqlite3-dev",
    "zlib": "zlib1g-dev",
    "readline": "libreadline-dev",
}
"""Extension modules that need a system library to be built, and Debian's package of its headers.

Source: "Install dependencies" in the Python Developer's Guide.
"""
_ENOUGH = 20
"""Modules in files of their own from which on a build is one that keeps them in files; a static one has few."""
_LARGEST = 256 << 20


@dataclass(frozen=True, slots=True)
class BasePython:
    """The interpreter that a venv was made with."""

    executable: Path
    dynload: Path
    """Where its extension modules are."""

    def missing(self, wanted: Iterable[str] = NEEDED) -> tuple[str, ...]:
        """Return those of the modules that it has neither as a file nor built in."""
        there = _modules(self.dynload)
        absent = [one for one in wanted if one not in there]
        if not absent or len(there) < _ENOUGH:
            return ()
        built_in = self._built_in(absent)
        return tuple(one for one in absent if one not in built_in)

    def _built_in(self, names: list[str]) -> set[str]:
        """Return the modules whose name stands in the interpreter or its library as a word of its table."""
        series = self.dynload.parent.name
        found: set[str] = set()
        folder = self.dynload.parent.parent
        for path in (self.executable, *sorted(folder.glob(f"lib{series}*.so*"))):
            try:
                if path.stat().st_size > _LARGEST:
                    continue
                content = path.read_bytes()
            except OSError:
                continue
            found |= {one for one in names if b"\0" + one.encode() + b"\0" in content}
        return found


def base_python(home: Path, series: str) -> BasePython | None:
    """Return the interpreter in a folder such as /usr/bin, of a series (``3.11``); ``None``: its files are unknown."""
    for name in (f"python{series}", "python3", "python"):
        executable = (home / name).resolve()
        if not executable.is_file():
            continue
        for prefix in dict.fromkeys((executable.parent.parent, home.parent)):
            for folder in ("lib", "lib64"):
                dynload = prefix / folder / f"python{series}" / "lib-dynload"
                if dynload.is_dir():
                    return BasePython(executable, dynload)
    return None


def _modules(folder: Path) -> set[str]:
    """Return the names of the extension modules: ``_lzma.cpython-311-x86_64-linux-gnu.so`` is ``_lzma``."""
    try:
        return {one.name.partition(".")[0] for one in folder.iterdir() if re.search(r"\.so$", one.name)}
    except OSError:
        return set()
