"""environment.yml written from requirements.txt: conda brings Python, pip the rest, every comment stays."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from provision.decode import printable
from provision.decode.checks import redacted
from provision.decode.document import read_bytes, shown_path
from provision.decode.text import RefusedTextError, text_of
from provision.environment.pip_section import PipSection, Place
from provision.errors import BadFileError

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._]*(\[[A-Za-z0-9._,-]+\])?((===?|~=|!=|<=?|>=?)[A-Za-z0-9.*+!_,<>=~-]+)?")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_COMMENT = re.compile(r"(?:^|\s)#(.*)$")
_MINORS = range(8, 30)
"""Minor versions of Python 3 that a range may mean."""

HEAD = """\
# Written by `provision init` from requirements.txt; this file is the one that counts on the hosts from now on.
# conda brings Python, pip everything below `pip:`. What needs system libraries may move up into conda's list.

"""


class PythonChoice(NamedTuple):
    """A Python version, and who wants it."""

    version: str
    origin: str


@dataclass(frozen=True, slots=True)
class NewEnvironment:
    """An environment.yml to be written."""

    text: str
    python: PythonChoice
    notes: tuple[str, ...]
    """What the user must know: lines that were left out, or that the playbook must allow."""


def new_environment(requirements: Path, name: str) -> NewEnvironment:
    """Return the environment.yml that stands for a requirements.txt.

    A line that cannot work on a host (an editable install, a local path, a login in a URL) becomes a comment with
    the reason.

    Raises:
        BadFileError: the file cannot be read.
    """
    shown = shown_path(requirements)
    try:
        text = text_of(read_bytes(requirements))
    except RefusedTextError as error:
        raise BadFileError(f"{shown}:{error.line}: {error.message}") from None
    python = python_version(requirements.parent)
    notes: list[str] = []
    body = [line for number, one in _logical(text) for line in _lines(one, f"{shown}:{number}", requirements, notes)]
    while body and not body[-1]:
        body.pop()
    if not any(line.startswith("      - ") for line in body):
        raise BadFileError(f"{shown}: no requirements, expected one package a line")
    parts = [
        f"{HEAD}name: {_scalar(name)}",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f"  - python={python.version}  # from {python.origin}",
        "  - pip",
        "  - pip:",
        *body,
    ]
    return NewEnvironment("\n".join(parts) + "\n", python, tuple(notes))


def python_version(root: Path) -> PythonChoice:
    """Return the Python that a project wants: .python-version, else one that requires-python allows.

    Within requires-python this machine's own Python is taken, as what the code was written with; where it does not
    fit, the oldest one that does.
    """
    pinned = _first(root / ".python-version", r"^\s*(3\.\d{1,2})(?:\.\d+)?\s*$")
    if pinned:
        return PythonChoice(pinned, ".python-version")
    here = f"3.{sys.version_info.minor}"
    wanted = _first(root / "pyproject.toml", r"^\s*requires-python\s*=\s*[\"']([^\"']+)[\"']")
    try:
        allowed = SpecifierSet(wanted or "")
    except InvalidSpecifier:
        allowed, wanted = SpecifierSet(), None
    if wanted is None:
        return PythonChoice(here, "the Python that runs provision")
    fitting = [f"3.{minor}" for minor in _MINORS if _allows(allowed, f"3.{minor}")]
    if here in fitting or not fitting:
        return PythonChoice(here, f"the Python that runs provision (requires-python: {printable(wanted)})")
    return PythonChoice(fitting[0], f"requires-python of pyproject.toml ({printable(wanted)})")


def _allows(allowed: SpecifierSet, minor: str) -> bool:
    # conda takes the newest patch: a range such as >=3.9.2 allows 3.9, though not 3.9.0.
    return allowed.contains(f"{minor}.0") or allowed.contains(f"{minor}.99")


def _first(path: Path, pattern: str) -> str | None:
    if not path.is_file():
        return None
    found = re.search(pattern, path.read_text("utf-8", "replace")[:100_000], re.MULTILINE)
    return found[1] if found else None


def _logical(text: str) -> list[tuple[int, str]]:
    """Return (number of its first line, line), lines that end in a backslash joined."""
    found: list[tuple[int, str]] = []
    begun, pending = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        begun = begun if pending else number
        pending += line.strip().removesuffix("\\").rstrip() + " "
        if not line.rstrip().endswith("\\") or line.lstrip().startswith("#"):
            found.append((begun, pending.strip()))
            pending = ""
    if pending:
        found.append((begun, pending.strip()))
    return found


def _lines(line: str, where: str, requirements: Path, notes: list[str]) -> list[str]:
    """Return the lines of environment.yml for one line of requirements.txt."""
    comment = _COMMENT.search(line)
    said = " ".join(comment[1].split()) if comment else ""
    text = line[: comment.start()].strip() if comment else line
    if not text:
        return [f"      # {said}".rstrip()] if comment else [""]
    wrong = _complaint(text, requirements, allow=True)
    if wrong is not None:
        notes.append(f"{where}: left out: {wrong}")
        reason = printable(redacted(text), 200)
        return [f"      # left out by provision init: {reason}", *([f"      # {said}"] if said else [])]
    risky = _complaint(text, requirements, allow=False)
    if risky is not None:
        notes.append(f"{where}: {risky}")
    return [f"      - {_scalar(text)}" + (f"  # {said}" if said else "")]


def _complaint(text: str, requirements: Path, *, allow: bool) -> str | None:
    """Return what is wrong with a line of pip's, judged as it is when the environment is built."""
    found: list[str] = []
    section = PipSection(requirements.parent, allow)
    try:
        section.add(text, Place(requirements.parent, found.append, (requirements,)))
    except BadFileError as error:  # of a file that the line includes: its own place is named
        return None if allow else error.message
    return found[0] if found else None


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.casefold() not in _NOT_TEXT:
        return text
    return json.dumps(text, ensure_ascii=False)
