"""environment.yml as conda reads it: what it does not know it ignores."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import StandinError
from .solve import name_of

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = {"name", "channels", "dependencies", "prefix", "variables"}


@dataclass(frozen=True)
class EnvironmentFile:
    """The parts of an environment file that conda acts on."""

    name: str | None
    prefix: str | None
    channels: list[str]
    specs: list[str]
    pip: list[str]
    variables: dict[str, str]


def read(path: Path) -> EnvironmentFile:
    """Read environment.yml (or a .txt of specs); unknown keys only cause some lines on stderr."""
    import yaml

    if not path.is_file():
        raise StandinError("EnvironmentFileNotFound", f"'{path}' file not found")
    if path.suffix == ".txt":
        lines = [line.strip() for line in path.read_text().splitlines()]
        return EnvironmentFile(None, None, [], [line for line in lines if line and line[0] not in "#-"], [], {})
    if path.suffix not in (".yml", ".yaml"):
        raise StandinError("EnvironmentFileExtensionNotValid", f"'{path}' file extension must be .txt, .yaml or .yml")
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise StandinError("CondaValueError", f"{path} is not valid YAML: {error}") from None
    unknown = [key for key in document if key not in KNOWN]
    if unknown:
        listed = "\n".join(f" - {key}" for key in unknown)
        notice = f"\nEnvironmentSectionNotValid: sections of '{path}' that are not valid and will be ignored:"
        print(f"{notice}\n{listed}\n", file=sys.stderr, flush=True)
    specs, pip = _dependencies(document.get("dependencies") or [])
    return EnvironmentFile(
        name=document.get("name"),
        prefix=document.get("prefix"),
        channels=[str(channel) for channel in document.get("channels") or []],
        specs=specs,
        pip=pip,
        variables={str(key): str(value) for key, value in (document.get("variables") or {}).items()},
    )


def _dependencies(items: list[object]) -> tuple[list[str], list[str]]:
    specs: list[str] = []
    pip: list[str] = []
    for item in items:
        if isinstance(item, dict):
            pip += [str(line) for line in item.get("pip") or []]
        else:
            specs.append(str(item))
    if pip and "pip" not in map(name_of, specs):
        print(
            "Warning: pip is not among the dependencies although there is a pip section; adding it.",
            file=sys.stderr,
        )
        specs.append("pip")
    return specs, pip
