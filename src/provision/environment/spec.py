"""environment.yml (or requirements.txt alone) becomes an `EnvironmentSpec`."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated

from provision.decode import Document, Rule, load, printable
from provision.decode.checks import VARIABLE, one_line, redacted
from provision.decode.document import shown_path
from provision.decode.nodes import Mapping, Sequence
from provision.environment import matchspec
from provision.environment.pip_section import PipSection, Place
from provision.errors import BadFileError

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_CHANNEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+){0,4}")


def _environment_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"'{printable(value)}' is not a name, expected letters, digits, '.', '_' or '-' (no '-' first)"
        )
    return value


def _channel(value: str) -> str:
    shown = printable(redacted(value))
    if re.search(r"://[^/]*@", value) or re.search(r"/t/[^/]+", value):
        raise ValueError(
            f"'{shown if '@' in shown else re.sub('/t/[^/]+', '/t/***', shown)}' holds a login or token, "
            "which would be stored in plain text: remove it"
        )
    if value.startswith(("https://", "http://")):
        if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
            raise ValueError(f"'{shown}' is not a URL")
        return value.rstrip("/")
    if "://" in value or value.startswith(("/", "~", ".")):
        raise ValueError(f"'{shown}' is a local channel, expected a name such as conda-forge or an https:// URL")
    if not _CHANNEL.fullmatch(value):
        raise ValueError(f"'{shown}' is not a channel, expected a name such as conda-forge or an https:// URL")
    return value


def _value(value: str) -> str:
    return one_line(value)


def _dependency(value: str) -> str:
    text = " ".join(value.split())
    if text in ("pip:", "pip :"):
        raise ValueError("'pip:' has no list below it: indent its lines")
    try:
        matchspec.parse(text)
    except ValueError as error:
        join = " (join conditions with ',')" if re.search(r"[<>=]\s*[\d.*]+\s+[<>=!]", text) else ""
        raise ValueError(f"not a conda package: {printable(str(error), 160)}{join}") from None
    return text


CHANNEL = Rule(_channel)


@dataclass(frozen=True, slots=True)
class PipEntry:
    """Requirement lines that pip installs once conda's packages are there."""

    pip: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentFile:
    """A conda environment."""

    name: Annotated[str | None, Rule(_environment_name), "its name on the hosts; none or base: the project's"] = None
    channels: Annotated[tuple[Annotated[str, CHANNEL], ...], "where packages come from, the first one wins"] = ()
    dependencies: Annotated[
        tuple[Annotated[str, Rule(_dependency)] | PipEntry, ...], "conda packages, and 'pip:' with a list"
    ] = ()
    variables: Annotated[
        dict[Annotated[str, VARIABLE], Annotated[str, Rule(_value)]],
        "environment variables of whoever uses it",
    ] = field(default_factory=dict)
    prefix: Annotated[str | None, "ignored: conda env export writes it, but the place is provision's"] = None


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """What an environment must hold: the same for every host of one platform and variant."""

    name: str
    channels: tuple[str, ...]
    """Names or URLs, the first one wins."""
    dependencies: tuple[str, ...]
    """Conda match specifications, in the file's order."""
    pip: tuple[str, ...] = ()
    """Lines for a requirements file, those of included files in place of their ``-r``."""
    constraints: tuple[str, ...] = ()
    """Lines for pip's constraints file (``-c``)."""
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    """Lines to tell the user."""
    source: str = "environment.yml"
    """The file, as messages name it."""

    @property
    def pip_text(self) -> str:
        """The requirements file for pip; empty without pip lines."""
        return "".join(line + "\n" for line in self.pip)

    @property
    def constraints_text(self) -> str:
        """The constraints file for pip; empty without one."""
        return "".join(line + "\n" for line in self.constraints)


def load_spec(
    path: Path, project: str, root: Path, *, python: str | None = None, allow_pip_options: bool = False
) -> EnvironmentSpec:
    """Return what an environment file asks for; included files must lie below ``root``.

    ``python`` is the version for a requirements.txt, which says none; without it the project's files are
    asked, then the Python that runs provision.

    Raises:
        BadFileError: the file cannot be taken.
    """
    if not path.exists():
        raise BadFileError(
            f"{shown_path(path)}: no such file",
            hint="write one, or let 'provision init' write it from requirements.txt",
        )
    section = PipSection(root, allow_pip_options)
    if path.suffix in (".txt", ".in"):
        return _from_requirements(path, project, root, python, section)
    return _from_yaml(load(path), path, project, section)


def _from_yaml(document: Document, path: Path, project: str, section: PipSection) -> EnvironmentSpec:
    _judge_shape(document)
    file = document.decode(EnvironmentFile)
    notes: list[str] = []
    for index, entry in enumerate(file.dependencies):
        if isinstance(entry, PipEntry):
            for number, line in enumerate(entry.pip):
                place = ("dependencies", index, "pip", number)
                section.add(line, Place(path.parent, partial(document.problem, place), (path,)))
    conda = [one for one in file.dependencies if isinstance(one, str)]
    if not file.dependencies:
        document.problem(("dependencies",), "no dependencies, expected a list such as [python=3.11, numpy]")
    channels = _channels(document, file, notes)
    document.check()
    if file.prefix is not None:
        notes.append(f"'prefix: {printable(file.prefix)}' is ignored: provision chooses the place itself")
    name = file.name
    if name in (None, "base", "root"):
        if name is not None:
            notes.append(f"'name: {name}' means conda's own environment: the project's name '{project}' is used")
        name = project
    _add_python(conda, bool(section.lines), notes)
    return EnvironmentSpec(
        name=name or project,
        channels=channels,
        dependencies=tuple(conda),
        pip=tuple(section.lines),
        constraints=tuple(section.constraints),
        variables=tuple(sorted(file.variables.items())),
        notes=(*notes, *section.notes),
        source=document.source,
    )


def _judge_shape(document: Document) -> None:
    """Refuse ``- python: 3.11``, which YAML reads as a mapping."""
    node = document.find(("dependencies",))
    for index, item in enumerate(node.items if isinstance(node, Sequence) else ()):
        if isinstance(item, Mapping) and (key := next((one.text for one, _ in item.items if one.text != "pip"), None)):
            document.problem(
                ("dependencies", index, key), f"unknown key, expected a package such as '{printable(key)}=1.2'"
            )
    document.check()


def _channels(document: Document, file: EnvironmentFile, notes: list[str]) -> tuple[str, ...]:
    channels = tuple(dict.fromkeys(one for one in file.channels if one != "nodefaults"))
    if not channels and file.channels:
        document.problem(("channels",), "only 'nodefaults', expected a channel such as conda-forge")
    if not channels:
        notes.append("no channels are named: 'defaults' is used, as conda does")
        return ("defaults",)
    notes.extend(
        f"channel {printable(one, 200)} comes over http: others on the network can change what it sends"
        for one in channels
        if one.startswith("http://")
    )
    return channels


def _add_python(conda: list[str], pip: bool, notes: list[str]) -> None:
    """Add what pip lines need and the file does not name."""
    if not pip:
        return
    names = {matchspec.parse(one).name for one in conda}
    missing = [one for one in ("python", "pip") if one not in names]
    if missing:
        conda.extend(missing)
        notes.append(f"{' and '.join(missing)} added: the pip lines need {'them' if len(missing) > 1 else 'it'}")


def _from_requirements(
    path: Path, project: str, root: Path, python: str | None, section: PipSection
) -> EnvironmentSpec:
    section.read(path)
    version, origin = (python, "the playbook") if python else _python_of(root)
    if not section.lines:
        raise BadFileError(f"{shown_path(path)}: no requirements, expected one package a line")
    return EnvironmentSpec(
        name=project,
        channels=("conda-forge",),
        dependencies=(f"python={version}", "pip"),
        pip=tuple(section.lines),
        constraints=tuple(section.constraints),
        notes=(f"Python {version} from conda-forge (version from {origin}), the rest by pip", *section.notes),
        source=shown_path(path),
    )


def _python_of(root: Path) -> tuple[str, str]:
    """Return the Python version that the project wants, and who says so."""
    for name, pattern in (
        (".python-version", r"^\s*(3\.\d{1,2})(?:\.\d+)?\s*$"),
        ("pyproject.toml", r"^requires-python\s*=\s*[\"'][^\"']*?(?:>=|~=|==)\s*(3\.\d{1,2})"),
    ):
        path = root / name
        if path.is_file():
            found = re.search(pattern, path.read_text("utf-8", "replace")[:100_000], re.MULTILINE)
            if found is not None:
                return found[1], name
    return f"3.{sys.version_info.minor}", "the Python that runs provision"
