"""Installs us and the peers, each in a virtual environment of its own, as users do: byte-compiled, not editable."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment."""

    folder: Path

    @property
    def python(self) -> str:
        """The interpreter."""
        return self.program("python")

    def program(self, name: str) -> str:
        """Return the path of a program in it."""
        return str(self.folder / "bin" / name)

    def version(self, distribution: str) -> str:
        """Return the installed version of a distribution."""
        code = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
        asked = subprocess.run([self.python, "-c", code, distribution], capture_output=True, text=True, check=True)
        return asked.stdout.strip()


def cache_folder() -> Path:
    """Return where the environments are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "provision-bench"


def install_ours() -> Installed:
    """Install this working copy, anew each time, over dependencies that are kept."""
    made = _environment("ours")
    _pip(made, str(REPOSITORY))
    _pip(made, "--force-reinstall", "--no-deps", str(REPOSITORY))
    return made


def install_peers() -> Installed:
    """Install pyinfra and ansible-core."""
    made = _environment("peers")
    _pip(made, "--requirement", str(HERE / "peers/requirements.txt"))
    return made


def _environment(name: str) -> Installed:
    made = Installed(cache_folder() / f"{name}-{sys.version_info.major}.{sys.version_info.minor}")
    if not Path(made.python).exists():
        subprocess.run([sys.executable, "-m", "venv", str(made.folder)], check=True)
    return made


def _pip(made: Installed, *words: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([made.python, *PIP, *words], env=kept, check=True)
