"""requirements.txt made from environment.yml: its Python packages, with what only conda has as comments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.decode import load
from provision.decode.nodes import Mapping, Scalar, Sequence
from provision.environment.matchspec import parse
from provision.environment.names import distribution_of
from provision.environment.spec import load_spec
from provision.venv.belonging import CONDA_ONLY, RULE, is_system
from provision.venv.versions import to_pip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.decode.nodes import Node

_TRAILING = re.compile(r"\s#\s*(.*)$")
_WITHOUT_WORD = frozenset({"pip", "setuptools", "wheel"})
"""Every venv has them, or does without."""


@dataclass(frozen=True, slots=True)
class NewRequirements:
    """A requirements.txt to be written."""

    text: str
    notes: tuple[str, ...]
    """What was left out or changed, a line each."""


@dataclass
class _Made:
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def requirements_from(path: Path, project: str, root: Path) -> NewRequirements:
    """Return the requirements.txt for the venv of whoever works on a project with that environment.yml.

    Raises:
        BadFileError: the file cannot be taken.
    """
    load_spec(path, project, root, allow_pip_options=True)
    document = load(path)
    raw = path.read_text("utf-8-sig").splitlines()
    made = _Made([f"# Written by `provision init` from {path.name}. {RULE[0].upper()}{RULE[1:]}.", ""])
    last = document.line(("dependencies",))
    for node, pip in _items(document.find(("dependencies",))):
        # Comments between the items stay where they are.
        made.lines += [one.strip() for one in raw[last : node.line - 1] if one.strip().startswith("#")]
        comment = _comment(raw[node.line - 1], node.text) if node.line != last else ""
        last = node.line
        for line in _pip(node.text, made) if pip else _conda(node.text, made):
            made.lines.append(line + (f"  # {comment}" if comment else ""))
            comment = ""
    return NewRequirements("\n".join(made.lines).rstrip() + "\n", tuple(made.notes))


def _items(dependencies: Node) -> Iterator[tuple[Scalar, bool]]:
    """Yield each dependency, and whether it stands in the pip section."""
    for item in dependencies.items if isinstance(dependencies, Sequence) else ():
        if isinstance(item, Scalar):
            yield item, False
        elif isinstance(item, Mapping):
            below = item.get("pip")
            yield from (
                (one, True) for one in (below.items if isinstance(below, Sequence) else ()) if isinstance(one, Scalar)
            )


def _pip(text: str, made: _Made) -> Iterator[str]:
    if re.match(r"(-c|--constraint)\b", text.strip()):
        made.notes.append(f"{text}: stays as it is, relative to requirements.txt")
    yield text


def _conda(text: str, made: _Made) -> Iterator[str]:
    plain = " ".join(text.split())
    spec = parse(plain)
    if spec.name in _WITHOUT_WORD:
        return
    if spec.name == "python":
        yield f"# {CONDA_ONLY}{plain}"
    elif spec.virtual or is_system(spec.name):
        yield f"# {CONDA_ONLY}{plain}"
        made.notes.append(f"{plain}: left to conda")
    else:
        name = distribution_of(spec.name)
        line = to_pip(name, spec)
        if line is None:
            made.notes.append(f"{plain}: pip has no way to say these versions, any is taken")
        elif spec.build is not None:
            made.notes.append(f"{plain}: the build is conda's, pip is asked for the version alone")
        elif name != spec.name:
            made.notes.append(f"{plain}: pip calls it {name}")
        yield line or name


def _comment(raw: str, text: str) -> str:
    """Return the comment behind an item."""
    _, found, rest = raw.partition(text)
    comment = _TRAILING.search(rest if found else raw)
    return " ".join(comment[1].split()) if comment else ""
