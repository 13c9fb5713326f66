"""Finds the project's venv and reads its pyvenv.cfg (PEP 405); nothing of it is run."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = (".venv", "venv", "env")
"""Folders of a project that tools and people put it in, the most usual first."""
MARK = "pyvenv.cfg"
_LARGEST = 65_536
_VERSION = re.compile(r"(\d+\.\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Venv:
    """A venv as its pyvenv.cfg describes it."""

    path: Path
    origin: str
    """How it was found: ``.venv``, ``$VIRTUAL_ENV``, ``--venv``."""
    home: Path | None = None
    """The folder of the interpreter that it was made with."""
    version: str | None = None
    """Of its Python, as pyvenv.cfg says."""
    system_site: bool = False
    """Whether the base interpreter's packages are seen in it."""
    others: tuple[Path, ...] = ()
    """Further venvs of the project, which are not looked at."""

    @property
    def python(self) -> Path:
        """Its interpreter, a link to the base one as a rule."""
        return self.path / "bin" / "python"

    @property
    def series(self) -> str | None:
        """The first two numbers of its Python's version."""
        return None if self.version is None else ".".join(self.version.split(".")[:2])

    @property
    def broken(self) -> str | None:
        """Why it cannot be used; ``None`` where nothing speaks against it."""
        if not os.path.lexists(self.python):
            return f"{self.python} is not there"
        if not self.python.exists():
            # The Python that it was made with was removed or upgraded.
            return f"{self.python} leads to {os.path.realpath(self.python)}, which is gone"
        if not os.access(self.python, os.X_OK):
            return f"{self.python} cannot be run"
        return None


def find_venv(root: Path, environ: Mapping[str, str], chosen: Path | None = None) -> Venv | None:
    """Return the chosen venv, else the one that is active in the project, else the first of the usual ones.

    A venv that is active and lies elsewhere belongs to something else.

    Raises:
        ValueError: what was chosen is none; the message is one line.
    """
    if chosen is not None:
        if not (chosen / MARK).is_file() and not (chosen / "conda-meta").is_dir():
            raise ValueError(f"{chosen}: no venv, there is no {MARK} in it")
        return _read(chosen, "--venv", ())
    found: dict[Path, str] = {}
    active = environ.get("VIRTUAL_ENV", "")
    if active.startswith("/") and Path(active).resolve().is_relative_to(root.resolve()):
        found[Path(active)] = "$VIRTUAL_ENV"
    for name in USUAL:
        if (root / name).resolve() not in {one.resolve() for one in found}:
            found[root / name] = name
    there = [(path, origin) for path, origin in found.items() if (path / MARK).is_file()]
    if not there:
        return None
    path, origin = there[0]
    return _read(path, origin, tuple(one for one, _ in there[1:]))


def elsewhere(root: Path, environ: Mapping[str, str]) -> str | None:
    """Return the venv that is active and not the project's."""
    active = environ.get("VIRTUAL_ENV", "")
    if not active or Path(active).resolve().is_relative_to(root.resolve()):
        return None
    return active


def _read(path: Path, origin: str, others: tuple[Path, ...]) -> Venv:
    said = _settings(path / MARK)
    home = said.get("home")
    version = _VERSION.match(said.get("version") or said.get("version_info") or "")
    return Venv(
        path=path,
        origin=origin,
        home=Path(home) if home and home.startswith("/") else None,
        version=version[1] if version else None,
        system_site=said.get("include-system-site-packages", "").lower() == "true",
        others=others,
    )


def _settings(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(_LARGEST)
    except OSError:
        return {}
    lines = (line.partition("=") for line in text.splitlines())
    return {key.strip().lower(): value.strip() for key, equals, value in lines if equals}
