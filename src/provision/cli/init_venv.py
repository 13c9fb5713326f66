"""`init --venv`: the project's .venv, with what requirements.txt asks for; never over what is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.decode.document import shown_path
from provision.environment.matchspec import parse
from provision.environment.spec import load_spec
from provision.environment.writer import python_version
from provision.errors import BadFileError, InterruptedRunError, StepFailedError, UsageError
from provision.project import load_project
from provision.report.display import visible
from provision.venv.against_requirements import judge_lines
from provision.venv.declared import read_requirements
from provision.venv.place import Venv, find_venv

if TYPE_CHECKING:
    from provision.project import Project

FOLDER = ".venv"
REQUIREMENTS = "requirements.txt"
_SERIES = re.compile(r"3\.\d{1,2}(\.\d{1,2})?")


def make_venv(folder: Path, python: str | None) -> int:
    """Make the venv where there is none, and install what requirements.txt asks for and it lacks.

    Raises:
        UsageError: something else stands there, or there is no such Python.
        StepFailedError: the venv could not be made, or pip failed.
    """
    project = load_project(folder)
    venv = find_venv(project.root, {})
    if venv is None:
        path = project.root / FOLDER
        if os.path.lexists(path):
            raise UsageError(f"{shown_path(path)} is there already and is no venv", hint="move it away, then again")
        _make(path, _interpreter(project, python))
    else:
        path = venv.path
        _take(venv, python)
    _install(project.root, path)
    return 0


def _take(venv: Venv, python: str | None) -> None:
    """Say which venv is there; one that cannot be used is not touched."""
    shown = shown_path(venv.path)
    if venv.broken is not None:
        raise UsageError(f"{shown} is there already, and broken: {venv.broken}", hint=f"rm -r {shown}    then again")
    if python is not None and _SERIES.fullmatch(python) and not f"{venv.version}.".startswith(f"{python}."):
        raise UsageError(f"{shown} is there already, with Python {venv.version}", hint=f"rm -r {shown}    then again")
    _say(f"{shown} is there already, with Python {venv.version or '?'}: it is kept")


def _interpreter(project: Project, asked: str | None) -> str:
    """Return the Python to make it with: the one asked for, else of the series that the hosts have, else our own."""
    own = getattr(sys, "_base_executable", None) or sys.executable
    if asked is not None:
        found = _of_series(asked) if _SERIES.fullmatch(asked) else shutil.which(os.path.expanduser(asked))  # noqa: PTH111 - a name stays a name
        if found is None:
            raise UsageError(
                f"there is no Python '{asked}' on this machine",
                hint="install it (uv python install, pyenv, your system's packages), or give its path",
            )
        return found
    wanted, origin = _wanted(project)
    if wanted == f"3.{sys.version_info.minor}":
        return own
    found = _of_series(wanted)
    if found is None:
        _say(f"no Python {wanted} here, which {origin} asks for: made with 3.{sys.version_info.minor} instead")
    return found or own


def _wanted(project: Project) -> tuple[str, str]:
    """Return the series of Python that hosts will have, and who says so."""
    for one in project.environments:
        for _, path in one.files:
            if path.name == REQUIREMENTS:
                continue
            try:
                spec = load_spec(path, project.name, project.root, allow_pip_options=True)
            except BadFileError:
                continue
            asked = next((found for text in spec.dependencies if (found := parse(text)).name == "python"), None)
            for minor in (sys.version_info.minor, *range(30, 7, -1)):
                if asked is not None and asked.version is not None and asked.accepts_version(f"3.{minor}.99"):
                    return f"3.{minor}", spec.source
    choice = python_version(project.root)
    return choice.version, choice.origin


def _of_series(series: str) -> str | None:
    """Return an interpreter of that version: on the PATH, or one that pyenv or uv keeps."""
    short = ".".join(series.split(".")[:2])
    exact = series.count(".") > 1
    on_path = shutil.which(f"python{short}")
    kept = [Path.home() / ".pyenv/versions", Path.home() / ".local/share/uv/python"]
    found = [
        *([on_path] if on_path and not exact else []),
        *(
            str(one)
            for folder in kept
            for pattern in (f"{series}*", f"cpython-{series}*")
            for one in sorted(folder.glob(f"{pattern}/bin/python{short}"))
            if re.search(rf"(^|-){re.escape(series)}(\D|$)", one.parts[-3])
        ),
    ]
    return next((one for one in found if os.access(one, os.X_OK)), None)


def _make(path: Path, python: str) -> None:
    _say(f"making {shown_path(path)} with {python}")
    try:
        done = subprocess.run(
            [python, "-I", "-m", "venv", str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except KeyboardInterrupt:
        # It was not there before: what is half made is nobody's.
        shutil.rmtree(path, ignore_errors=True)
        raise InterruptedRunError("interrupted: no venv was made") from None
    except OSError as error:
        raise UsageError(f"{python} cannot be run: {error.strerror or error}") from None
    if done.returncode != 0:
        shutil.rmtree(path, ignore_errors=True)
        said = f"{done.stdout}\n{done.stderr}".strip()
        missing = "ensurepip" in said
        raise StepFailedError(
            f"{python} could not make a venv: {said.rpartition(chr(10))[2][:200]}",
            hint="on Debian and Ubuntu: apt install python3-venv" if missing else "--python chooses another Python",
            detail=said,
        )
    ignored = path / ".gitignore"
    if not ignored.exists():
        # Newer Pythons write it themselves: a venv is never part of the project that is synced.
        ignored.write_text("*\n", encoding="utf-8")


def _install(root: Path, venv: Path) -> None:
    path = root / REQUIREMENTS
    python = venv / "bin" / "python"
    if not path.is_file():
        _say(f"no {REQUIREMENTS} in {root}: nothing is installed")
        return
    for remark in judge_lines(read_requirements(path)):
        _say(f"note: {remark.text}")
        _say(f"  -> {remark.fix}")
    sys.stdout.flush()
    try:
        done = subprocess.run(
            [str(python), "-I", "-m", "pip", "install", "--disable-pip-version-check", "-r", str(path)],
            cwd=root,
            check=False,
        )
    except KeyboardInterrupt:
        raise InterruptedRunError("interrupted: run it again, what is there is kept") from None
    except OSError as error:
        raise StepFailedError(f"{python} cannot be run: {error.strerror or error}") from None
    if done.returncode != 0:
        raise StepFailedError(
            f"pip could not install {REQUIREMENTS} (exit {done.returncode})",
            hint="its last lines say why; PIP_INDEX_URL chooses another index",
        )
    _say(f"{shown_path(venv)} has what {REQUIREMENTS} asks for; source {shown_path(venv)}/bin/activate")


def _say(text: str) -> None:
    print(visible(text))
    sys.stdout.flush()
