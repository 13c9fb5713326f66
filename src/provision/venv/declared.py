"""What requirements.txt asks for, read as pip reads it and without refusing anything that is right on this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.decode import printable
from provision.decode.document import read_bytes, shown_path
from provision.decode.text import RefusedTextError, text_of
from provision.environment.requirement import PipLine, requirements
from provision.errors import BadFileError

if TYPE_CHECKING:
    from pathlib import Path

_INCLUDED = re.compile(r"(?:-r|--requirement)[\s=]*(?P<path>\S.*)")
_COMMENT = re.compile(r"(^|\s)#.*$")
_DEEPEST = 10
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class DeclaredLine:
    """One requirement, and where it stands."""

    where: str
    """``requirements.txt:7``."""
    line: PipLine

    @property
    def name(self) -> str | None:
        """The normalised distribution; ``None`` for a path or address that does not tell."""
        return self.line.name


@dataclass(frozen=True, slots=True)
class Requirements:
    """A requirements file with those that it includes."""

    source: str
    lines: tuple[DeclaredLine, ...]
    problems: tuple[str, ...] = ()
    """What could not be read, a line each."""

    @property
    def names(self) -> frozenset[str]:
        """The distributions that are asked for."""
        return frozenset(one.name for one in self.lines if one.name is not None)


def read_requirements(path: Path) -> Requirements:
    """Return what a requirements file asks for; what cannot be read is told, and the rest counts."""
    lines: list[DeclaredLine] = []
    problems: list[str] = []
    _read(path, (), lines, problems)
    return Requirements(shown_path(path), tuple(lines), tuple(problems))


def _read(path: Path, including: tuple[Path, ...], lines: list[DeclaredLine], problems: list[str]) -> None:
    shown = shown_path(path)
    try:
        text = text_of(read_bytes(path))
    except RefusedTextError as error:
        problems.append(f"{shown}:{error.line}: {error.message}")
        return
    except BadFileError as error:
        problems.append(error.message)
        return
    for number, line in _logical(text):
        stripped = _COMMENT.sub("", line).strip()
        included = _INCLUDED.fullmatch(stripped)
        if len(lines) >= _MOST:
            problems.append(f"{shown}:{number}: more than {_MOST:,} requirements: the rest is not looked at")
            return
        if included is not None:
            inner = path.parent / included["path"].strip("'\"")
            if "://" in included["path"] or len(including) >= _DEEPEST or inner.resolve() in including:
                problems.append(f"{shown}:{number}: '{printable(stripped)}' is not looked into")
            else:
                _read(inner, (*including, path.resolve(), inner.resolve()), lines, problems)
            continue
        try:
            lines.extend(DeclaredLine(f"{shown}:{number}", one) for one in requirements([stripped]))
        except ValueError as error:
            problems.append(f"{shown}:{number}: {printable(str(error), 200)}")


def _logical(text: str) -> list[tuple[int, str]]:
    """Return (number of its first line, line), lines that end in a backslash joined."""
    found: list[tuple[int, str]] = []
    begun, pending = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        begun = begun if pending else number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pending += line[:-1] + " "
            continue
        found.append((begun, pending + line))
        pending = ""
    if pending:
        found.append((begun, pending))
    return found
