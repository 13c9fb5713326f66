"""What ``conda activate`` and ``deactivate`` change, as lines for a POSIX shell to evaluate."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from . import prefix
from .errors import StandinError

if TYPE_CHECKING:
    from pathlib import Path

    from .settings import Settings


def variables(target: Path, name: str | None = None) -> dict[str, str]:
    """Return what an activated environment has in its process environment."""
    old = os.environ.get("CONDA_PREFIX")
    parts = [part for part in os.environ.get("PATH", "").split(":") if not old or part != f"{old}/bin"]
    return {
        **prefix.variables(target),
        "CONDA_DEFAULT_ENV": name or str(target),
        "CONDA_PREFIX": str(target),
        "PATH": ":".join([f"{target}/bin", *parts]),
    }


def activate(settings: Settings, name: str) -> str:
    """Return the shell lines that activate an environment by name or path.

    A folder without a history is good enough, so a name may activate and yet bring no python.
    """
    target = prefix.locate(settings, name)
    if target is None or not target.is_dir():
        if "/" in name:
            raise StandinError("EnvironmentLocationNotFound", f"Not a conda environment: {name}")
        raise StandinError("EnvironmentNameNotFound", f"Could not find conda environment: {name}")
    level = int(os.environ.get("CONDA_SHLVL") or "0")
    changes = {**variables(target, name), "CONDA_SHLVL": str(level + 1)}
    lines = [f"export {key}={shlex.quote(value)}" for key, value in changes.items()]
    old = os.environ.get("CONDA_PREFIX")
    if level and old:
        lines.append(f"export CONDA_PREFIX_{level}={shlex.quote(old)}")
    scripts = sorted((target / "etc/conda/activate.d").glob("*.sh"))
    return "\n".join([*lines, *(f". {shlex.quote(str(script))}" for script in scripts)])


def deactivate(settings: Settings) -> str:
    """Return the shell lines that go back to the environment before."""
    current, level = os.environ.get("CONDA_PREFIX"), int(os.environ.get("CONDA_SHLVL") or "0")
    if not current or level < 1:
        return ""
    path = ":".join(part for part in os.environ.get("PATH", "").split(":") if part != f"{current}/bin")
    before = os.environ.get(f"CONDA_PREFIX_{level - 1}")
    lines = [f"unset {key}" for key in prefix.variables(settings.root.__class__(current))]
    if not before:
        return "\n".join(
            [
                *lines,
                "unset CONDA_PREFIX CONDA_DEFAULT_ENV",
                "export CONDA_SHLVL=0",
                f"export PATH={shlex.quote(path)}",
            ]
        )
    lines += [f"export CONDA_PREFIX={shlex.quote(before)}", f"export CONDA_DEFAULT_ENV={shlex.quote(before)}"]
    lines += [f"export PATH={shlex.quote(f'{before}/bin:{path}')}", f"export CONDA_SHLVL={level - 1}"]
    return "\n".join([*lines, f"unset CONDA_PREFIX_{level - 1}"])
