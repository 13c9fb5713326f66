"""The project that stands on this machine: its root, its name, its environments, and provision.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from provision.channels import OneChannel
from provision.decode import Document, Rule, load, printable
from provision.decode.checks import NAME, VARIABLE
from provision.decode.near import suggestion
from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from provision.channels import Channel

FILE_NAME = "provision.yaml"
ROOT_MARKS = ("pyproject.toml", "environment.yml", "environment.yaml", "requirements.txt")
ROOT_FILES = (FILE_NAME, *ROOT_MARKS)
"""Files any of which makes a folder a project's root, as `.git` does."""
_ENVIRONMENT_FILES = ("environment.yml", "environment.yaml", "requirements.txt")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def project_name(value: str) -> str:
    """Return a valid project name; raises `ValueError`."""
    if not _NAME.fullmatch(value):
        raise ValueError(f"'{printable(value)}' is not a project name, expected letters, digits, '.', '_' or '-'")
    return value


def inner_path(value: str) -> str:
    """Return a path below the project's root, relative to it; raises `ValueError`."""
    shown = printable(value)
    if not value or value.startswith(("/", "~", "-")) or re.match(r"[A-Za-z]:", value):
        raise ValueError(f"'{shown}', expected a path relative to the project's root")
    parts = value.replace("\\", "/").split("/")
    if ".." in parts:
        raise ValueError(f"'{shown}' leads out of the project, expected a path below its root")
    if "\n" in value or not [one for one in parts if one not in ("", ".")]:
        raise ValueError(f"'{shown}', expected a path below the project's root")
    return value


def _variants(value: str | dict[str, str]) -> str | dict[str, str]:
    if isinstance(value, dict) and not value:
        raise ValueError("empty, expected a file, or files for gpu and cpu")
    return value


def _variant(value: str) -> str:
    if value not in ("gpu", "cpu"):
        raise ValueError(f"'{printable(value)}', expected gpu or cpu{suggestion(value, ('gpu', 'cpu'))}")
    return value


PROJECT_NAME = Rule(project_name, {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"})
INNER_PATH = Rule(inner_path)
_VARIANT = Rule(_variant, {"enum": ["gpu", "cpu"]})
_VARIANTS = Rule(_variants)

Variants = Annotated[Annotated[str, INNER_PATH] | dict[Annotated[str, _VARIANT], Annotated[str, INNER_PATH]], _VARIANTS]
"""One file, or one for hosts with a GPU and one for hosts without."""
Channels = dict[Annotated[str, NAME], OneChannel]


Links: TypeAlias = Literal["refuse", "follow", "skip"]
"""What becomes of symbolic links that lead out of the project."""


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What provision should know of this project."""

    project: Annotated[str | None, PROJECT_NAME, "name on the hosts; none: the root folder's name"] = None
    default: Annotated[str | None, NAME, "host that sync and run take when none is named"] = None
    environment: Annotated[Variants | None, "environment file, or one for gpu and one for cpu"] = None
    environments: Annotated[
        dict[Annotated[str, PROJECT_NAME], Variants] | None,
        "several environments by name, the first is the default",
    ] = None
    include: Annotated[tuple[Annotated[str, INNER_PATH], ...], "files that git ignores and the hosts need"] = ()
    links: Annotated[Links, "symbolic links that lead out of the project: refuse, follow or skip them"] = "refuse"
    persist: Annotated[tuple[Annotated[str, INNER_PATH], ...], "folders of the hosts' own that every job sees"] = ()
    secrets: Annotated[tuple[Annotated[str, VARIABLE], ...], "variables to hand to jobs from this machine's own"] = ()
    notify: Annotated[Channels | None, "where notices go, by names of your choice"] = None


@dataclass(frozen=True, slots=True)
class ProjectEnvironment:
    """One environment of the project: a file for all hosts, or one for each variant."""

    name: str | None
    """``None``: the name that the file gives, or else the project's."""
    files: tuple[tuple[str | None, Path], ...]

    def variant(self, *, gpu: bool) -> tuple[str | None, Path]:
        """Return the variant and file for a host with or without a GPU.

        Raises:
            UsageError: there is no file for such a host.
        """
        wanted = "gpu" if gpu else "cpu"
        for variant, path in self.files:
            if variant in (None, wanted):
                return variant, path
        has = self.files[0][0]
        raise UsageError(
            f"the environment has a file for {has} only, and the host is {'a' if gpu else 'no'} GPU machine",
            hint=f"add 'environment: {{{wanted}: FILE}}' to {FILE_NAME}",
        )


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with code in it that is to run on hosts."""

    root: Path
    name: str
    environments: tuple[ProjectEnvironment, ...] = ()
    default: str | None = None
    include: tuple[str, ...] = ()
    links: Links = "refuse"
    persist: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    notify: Mapping[str, Channel] = field(default_factory=dict)
    file: Path | None = None
    notes: tuple[str, ...] = field(default=())

    def environment(self, name: str | None = None) -> ProjectEnvironment:
        """Return the environment of that name, the first one without a name.

        Raises:
            UsageError: the project has none, or none of that name.
        """
        if not self.environments:
            raise UsageError(
                f"no environment file in {self.root}: expected {' or '.join(_ENVIRONMENT_FILES)}",
                hint="write one, or use a playbook without the task 'environment'",
            )
        if name is None:
            return self.environments[0]
        for one in self.environments:
            if one.name == name:
                return one
        names = [one.name for one in self.environments if one.name]
        raise UsageError(f"the project has no environment '{printable(name)}'{suggestion(name, names)}")


def find_root(start: Path) -> Path | None:
    """Return the project's root, or ``None`` where nothing looks like one.

    The nearest folder with provision.yaml or ``.git`` is it; without either, the nearest with a project's other files.
    """
    start = start.absolute()
    marked: Path | None = None
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file() or (folder / ".git").exists():
            return folder
        if marked is None and any((folder / one).is_file() for one in ROOT_MARKS):
            marked = folder
    return marked


def load_project(start: Path) -> Project:
    """Return the project that a folder belongs to; a folder without any sign of a project is one by itself.

    Raises:
        BadFileError: its provision.yaml cannot be taken.
    """
    root = find_root(start) or start.absolute()
    path = root / FILE_NAME
    if not path.exists():
        return _project(root, ProjectFile(), None)
    document = load(path)
    file = document.decode(ProjectFile)
    _check(document, file, root)
    return _project(root, file, path)


def _check(document: Document, file: ProjectFile, root: Path) -> None:
    if file.environment is not None and file.environments is not None:
        document.problem(("environments",), "stands beside 'environment': write one of the two")
    named: list[tuple[tuple[str, ...], str]] = []
    for place, value in (
        (("environment",), file.environment),
        *((("environments", name), one) for name, one in (file.environments or {}).items()),
    ):
        if isinstance(value, str):
            named.append((place, value))
        elif value is not None:
            named.extend(((*place, variant), one) for variant, one in value.items())
    for place, value in named:
        if not (root / value).is_file():
            document.problem(place, f"'{printable(value)}': no such file in the project")
    if file.environments is not None and not file.environments:
        document.problem(("environments",), "empty, expected environments by name")
    document.check()


def _project(root: Path, file: ProjectFile, path: Path | None) -> Project:
    notes: tuple[str, ...] = ()
    name = file.project
    if name is None:
        name = _fitting_name(root.name)
        if name != root.name:
            notes = (
                (
                    f"the folder '{printable(root.name)}' has no name for a project: '{name}' is used "
                    f"(choose another with 'project: NAME' in {FILE_NAME})"
                ),
            )
    return Project(
        root=root,
        name=name,
        environments=_environments(root, file),
        default=file.default,
        include=file.include,
        links=file.links,
        persist=file.persist,
        secrets=file.secrets,
        notify=file.notify or {},
        file=path,
        notes=notes,
    )


def _fitting_name(folder: str) -> str:
    fitting = re.sub(r"[^A-Za-z0-9._-]+", "-", folder).strip("-._")[:100]
    return fitting or "project"


def _environments(root: Path, file: ProjectFile) -> tuple[ProjectEnvironment, ...]:
    if file.environments is not None:
        return tuple(ProjectEnvironment(name, _files(root, one)) for name, one in file.environments.items())
    if file.environment is not None:
        return (ProjectEnvironment(None, _files(root, file.environment)),)
    found = next((root / one for one in _ENVIRONMENT_FILES if (root / one).is_file()), None)
    return () if found is None else (ProjectEnvironment(None, ((None, found),)),)


def _files(root: Path, value: str | Mapping[str, str]) -> tuple[tuple[str | None, Path], ...]:
    if isinstance(value, str):
        return ((None, root / value),)
    return tuple((variant, root / one) for variant, one in value.items())
