"""`init --from` and `init --to-requirements`: environment.yml from requirements.txt, and back; nothing is lost."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import written
from provision.decode.document import shown_path
from provision.errors import UsageError
from provision.project import load_project
from provision.report.display import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.project import Project

ENVIRONMENT = "environment.yml"
REQUIREMENTS = "requirements.txt"


def to_environment(source: Path, folder: Path, *, force: bool) -> int:
    """Write environment.yml from a requirements file: beside it where there is one, over it only with `force`."""
    from provision.venv.to_environment import environment_from

    project = load_project(folder)
    made = environment_from(_file(source, folder), project.name)
    path = _environment_file(project)
    _write(path, made.text, made.notes, force=force)
    _say(f"Python {made.python.version} from {made.python.origin}")
    return 0


def to_requirements(folder: Path, *, force: bool) -> int:
    """Write requirements.txt from environment.yml: beside it where there is one, over it only with `force`."""
    from provision.venv.to_requirements import requirements_from

    project = load_project(folder)
    source = _environment_file(project)
    if not source.is_file():
        raise UsageError(
            f"there is no {shown_path(source)} to make {REQUIREMENTS} from", hint="provision init --from FILE"
        )
    made = requirements_from(source, project.name, project.root)
    _write(project.root / REQUIREMENTS, made.text, made.notes, force=force)
    return 0


def beside(path: Path) -> Path:
    """Return where a new version of a file is written: environment.new.yml."""
    return path.with_name(f"{path.stem}.new{path.suffix}")


def _file(source: Path, folder: Path) -> Path:
    """Return the file that was named: seen from here, or from the project's folder."""
    for path in (Path.cwd() / source, folder.absolute() / source):
        if path.is_file():
            return path
    raise UsageError(f"{source}: no such file")


def _environment_file(project: Project) -> Path:
    files = [path for one in project.environments for _, path in one.files if path.name != REQUIREMENTS]
    return files[0] if files else project.root / ENVIRONMENT


def _write(path: Path, text: str, notes: Iterable[str], *, force: bool) -> None:
    if os.path.lexists(path):
        there = path.read_text("utf-8", "replace")
        if there == text:
            _say(f"{shown_path(path)} says the same already: left as it is")
            return
        other = path if force else beside(path)
        for line in difflib.unified_diff(there.splitlines(), text.splitlines(), path.name, other.name, lineterm=""):
            _say(line)
        if force:
            written.replace(path, text)
        else:
            written.create(other, text)
        what = "wrote anew" if force else "is there already and is left as it is; wrote"
        _say(f"{what} {shown_path(path)}" if force else f"{shown_path(path)} {what} {shown_path(other)} beside it")
    else:
        written.create(path, text)
        _say(f"wrote {shown_path(path)}")
    for note in notes:
        _say(f"  {note}")


def _say(text: str) -> None:
    print(visible(text))
