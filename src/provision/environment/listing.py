"""What list_packages.py says is installed in a prefix."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMAT = 1
_LARGEST = 16 * 1024 * 1024
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class CondaPackage:
    """One package that conda installed, by its file in conda-meta."""

    name: str
    version: str
    build: str
    build_number: int | None = None
    channel: str | None = None
    files: int = 0
    missing: int | None = 0
    """How many of its files are not there; ``None``: there was no time to look."""
    missing_examples: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    """Python distributions whose metadata the package brought, as their folders are named."""
    subdir: str | None = None
    """``noarch``, ``linux-64``..."""
    url: str | None = None
    """Where its archive came from."""
    md5: str | None = None
    sha256: str | None = None
    """Of its archive."""
    asked: tuple[str, ...] = ()
    """Specifications by which somebody asked for it; none: another package needs it."""

    @property
    def shown(self) -> str:
        """The package as a message names it."""
        origin = f" from {self.channel}" if self.channel else ""
        return f"{self.name} {self.version} {self.build}".rstrip() + origin


@dataclass(frozen=True, slots=True)
class PipPackage:
    """One Python distribution in site-packages, whoever installed it."""

    name: str
    version: str
    installer: str | None = None
    """``pip``, ``uv``, ``conda``..."""
    direct_url: str | None = None
    """Where it came from, when it was no index."""
    editable: bool = False
    commit: str | None = None
    requested: bool = False
    """Whether somebody asked pip for it; else another distribution needs it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All that is installed."""

    conda: tuple[CondaPackage, ...] = ()
    pip: tuple[PipPackage, ...] = ()
    markers: Mapping[str, str] | None = field(default=None, hash=False)
    """The environment of PEP 508 markers; ``None``: the prefix has no Python."""
    problems: tuple[str, ...] = ()
    """Files that could not be read."""


def parse_listing(output: bytes) -> Listing:
    """Return what the script printed.

    Raises:
        ValueError: The output is not whole or not the script's; the message is one line.
    """
    if len(output) > _LARGEST:
        raise ValueError("the listing of packages is larger than 16 MiB")
    records = [_record(line) for line in output.splitlines() if line.strip()]
    if not records or len(records) > _MOST:
        raise ValueError("the listing of packages is empty or too long")
    header, end = records[0], records[-1]
    if header.get("kind") != "prefix" or header.get("format") != _FORMAT:
        raise ValueError("the listing of packages has no header that is understood")
    conda = tuple(_conda(one) for one in records if one.get("kind") == "conda")
    pip = tuple(_pip(one) for one in records if one.get("kind") == "pip")
    if end.get("kind") != "end" or (end.get("conda"), end.get("pip")) != (len(conda), len(pip)):
        raise ValueError("the listing of packages was cut off")
    problems = tuple(_text(one, "text") for one in records if one.get("kind") == "problem")
    return Listing(conda, pip, _markers(header.get("markers")), problems)


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the listing of packages has a line that is not JSON: {line[:60]!r}") from error
    if not isinstance(record, dict):
        raise ValueError(f"the listing of packages has a line of another kind: {line[:60]!r}")  # noqa: TRY004 - bad input, not a bug
    return record


def _conda(record: dict[str, Any]) -> CondaPackage:
    return CondaPackage(
        name=_text(record, "name"),
        version=_text(record, "version"),
        build=_text(record, "build"),
        build_number=_number(record, "build_number"),
        channel=_optional(record, "channel"),
        files=_number(record, "files") or 0,
        missing=_number(record, "missing"),
        missing_examples=_texts(record, "missing_examples"),
        distributions=_texts(record, "distributions"),
        subdir=_optional(record, "subdir"),
        url=_optional(record, "url"),
        md5=_optional(record, "md5"),
        sha256=_optional(record, "sha256"),
        asked=_texts(record, "asked"),
    )


def _pip(record: dict[str, Any]) -> PipPackage:
    return PipPackage(
        name=_text(record, "name"),
        version=_text(record, "version"),
        installer=_optional(record, "installer"),
        direct_url=_optional(record, "direct_url"),
        editable=record.get("editable") is True,
        commit=_optional(record, "commit"),
        requested=record.get("requested") is True,
    )


def _markers(value: object) -> Mapping[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise ValueError("the listing of packages has marker values that are not text")
    return {str(key): one for key, one in value.items()}


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise ValueError(f"the listing of packages has a record without {key!r}")  # noqa: TRY004 - as above
    return value


def _optional(record: dict[str, Any], key: str) -> str | None:
    return None if record.get(key) is None else _text(record, key)


def _number(record: dict[str, Any], key: str) -> int | None:
    value = record.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(record: dict[str, Any], key: str) -> tuple[str, ...]:
    value = record.get(key)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
