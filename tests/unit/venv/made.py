"""A made venv: the files that one is recognised and read by, and nothing that could be run."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.environment.listing import Listing, PipPackage

if TYPE_CHECKING:
    from pathlib import Path

MARKERS = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.7",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.11.7",
    "python_version": "3.11",
    "sys_platform": "linux",
}


@dataclass(frozen=True, slots=True)
class MadeVenv:
    """A folder that looks like a venv."""

    path: Path

    @property
    def site(self) -> Path:
        """Its site-packages."""
        return self.path / "lib" / "python3.11" / "site-packages"

    def add(
        self, name: str, version: str, *, record: str = "", needs: tuple[str, ...] = (), requested: bool = False
    ) -> Path:
        """Add the metadata of a distribution; `record` has the paths that it brought, a line each."""
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            *(f"Requires-Dist: {one}" for one in needs),
        ]
        (info / "METADATA").write_text("\n".join(lines) + "\n\nRequires-Dist: a description\n")
        (info / "INSTALLER").write_text("pip\n")
        (info / "RECORD").write_text("".join(f"{one},,\n" for one in record.split()))
        if requested:
            (info / "REQUESTED").write_text("")
        return info


def make_venv(path: Path, *, python: str = sys.executable, config: str = "") -> MadeVenv:
    """Make the files of a venv whose interpreter is a link."""
    made = MadeVenv(path)
    made.site.mkdir(parents=True)
    (path / "bin").mkdir()
    (path / "pyvenv.cfg").write_text(config or f"home = {os.path.dirname(python)}\nversion = 3.11.7\n")  # noqa: PTH120 - text
    (path / "bin" / "python").symlink_to(python)
    return made


def listing(*packages: str) -> Listing:
    """Return what a venv has: `name==version`, with a star behind what was asked for by name."""
    made = []
    for one in packages:
        name, _, version = one.removesuffix("*").partition("==")
        made.append(PipPackage(name, version, "pip", requested=one.endswith("*")))
    return Listing(pip=tuple(made), markers=MARKERS)
