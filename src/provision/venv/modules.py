"""Which distribution of a venv brings a module, and what it needs: by the files of its metadata alone."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from provision.venv.names import brought_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_LARGEST = 16 << 20
_EXTENSION = re.compile(r"([A-Za-z_]\w*)(?:\.[\w.-]+)?\.so")
_LINE = re.compile(r"requires-dist:\s*(\S.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Modules:
    """What the distributions of a venv bring and need, all names normalised."""

    brings: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Top-level module to the distributions that bring it."""
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Distribution to those that it asks for."""

    def brought_by(self, module: str) -> tuple[str, ...]:
        """Return the distributions that bring a module: those here, else those that are known to."""
        here = self.brings.get(module)
        return tuple(sorted(here)) if here else brought_by(module)

    def needed_by(self, names: Iterable[str]) -> frozenset[str]:
        """Return the distributions with all that they ask for, and what that asks for."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self.needs.get(name, ()))
        return frozenset(found)


def read_modules(venv: Path, markers: Mapping[str, str] | None) -> Modules:
    """Return what the distributions in a venv bring; what cannot be read brings nothing."""
    brings: dict[str, set[str]] = {}
    needs: dict[str, frozenset[str]] = {}
    for folder in _site_packages(venv):
        for info in _metadata(folder):
            name = canonicalize_name(info.name.rpartition(".")[0].partition("-")[0])
            for module in _top_level(info):
                brings.setdefault(module, set()).add(name)
            needs[name] = frozenset(_asked(info, markers))
    return Modules({module: frozenset(names) for module, names in brings.items()}, needs)


def _site_packages(venv: Path) -> list[Path]:
    found = {
        one.resolve(): one for folder in ("lib", "lib64") for one in venv.glob(f"{folder}/[pP]y*3.*/site-packages")
    }
    return list(found.values())


def _metadata(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if one.name.endswith((".dist-info", ".egg-info")))
    except OSError:
        return []


def _top_level(info: Path) -> Iterator[str]:
    yield from (line.strip() for line in _lines(info / "top_level.txt") if line.strip().isidentifier())
    for line in _lines(info / "RECORD"):
        first, slash, _ = line.partition(",")[0].strip('"').partition("/")
        if slash:
            if first.isidentifier():
                yield first
            continue
        extension = _EXTENSION.fullmatch(first)
        name = extension[1] if extension else first.removesuffix(".py") if first.endswith(".py") else ""
        if name.isidentifier():
            yield name


def _asked(info: Path, markers: Mapping[str, str] | None) -> Iterator[str]:
    for line in _lines(info / "METADATA" if info.is_dir() else info):
        if not line.strip():
            return
        found = _LINE.match(line)
        if found is None:
            continue
        try:
            asked = Requirement(found[1].strip())
            if asked.marker is None or asked.marker.evaluate({**(markers or {}), "extra": ""}):
                yield canonicalize_name(asked.name)
        except (InvalidRequirement, UndefinedEnvironmentName):
            continue


def _lines(path: Path) -> list[str]:
    try:
        # A link to a device or a pipe would never end.
        if not path.is_file() or os.stat(path).st_size > _LARGEST:  # noqa: PTH116 - links count
            return []
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
