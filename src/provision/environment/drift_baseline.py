"""What a build left of its own packages: a small file beside its marker, read only when drift is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from provision.environment.drift import Held, held
from provision.environment.listing import parse_listing

FILE = ".provision-packages.json"
"""Its name, in the folder of the generation."""
FORMAT = 1
_FIELDS = 6
_MOST = 20_000
_DIGITS = 16
_LATEST = 1 << 40
"""Seconds since the epoch that no host's clock shows."""


@dataclass(frozen=True, slots=True)
class Build:
    """What tell_build.sh says of a generation."""

    packages: tuple[Held, ...] | None
    """What its build had installed; ``None``: it kept no list."""
    since: tuple[tuple[str, int], ...] = ()
    """Names of packages' records that are newer than the build, with the host's time of each."""

    def since_of(self, one: Held) -> int | None:
        """Return when the package came, in seconds since the epoch by the host's clock; ``None``: nobody knows."""
        wanted = _record_key(one.name, one.version)
        return next((at for name, at in self.since if name == wanted), None)


def baseline(output: bytes) -> bytes:
    """Return the file for what list_packages.py printed after a build.

    Raises:
        ValueError: it is not what that script prints.
    """
    packages = [
        [one.by, one.name, one.version, one.build, one.sha256, one.origin] for one in held(parse_listing(output))
    ]
    return (json.dumps({"format": FORMAT, "packages": packages}, separators=(",", ":")) + "\n").encode()


def parse_build(output: bytes) -> Build:
    """Return what tell_build.sh printed; a list that cannot be read, or of a newer format, is none."""
    kept: str | None = None
    since: list[tuple[str, int]] = []
    for line in output.decode("utf-8", "replace").splitlines():
        key, _, text = line.partition("|")
        if key == "kept":
            kept = text
        elif key == "since":
            at, _, path = text.partition("|")
            if at.isascii() and at.isdigit() and len(at) < _DIGITS and int(at) < _LATEST:
                since.append((_name_of(path), int(at)))
    return Build(_packages(kept), tuple(since))


def _packages(text: str | None) -> tuple[Held, ...] | None:
    try:
        said: Any = json.loads(text or "")
        if said["format"] != FORMAT or len(said["packages"]) > _MOST:
            return None
        return tuple(_held(one) for one in said["packages"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _held(fields: object) -> Held:
    if not isinstance(fields, list) or len(fields) != _FIELDS or not all(isinstance(one, str) for one in fields):
        raise ValueError("a package of the list has other fields")
    by, name, version, build, sha256, origin = fields
    return Held(by, name, version, build, sha256, origin)


def _name_of(path: str) -> str:
    """Return the package of a file in conda-meta, or of a folder of metadata in site-packages."""
    name = path.rpartition("/")[2]
    if name.endswith(".json"):
        # The last two parts are version and build, and neither has a hyphen.
        package, _, rest = name.removesuffix(".json").rpartition("-")[0].rpartition("-")
        return _record_key(package, rest)
    package, _, version = name.rpartition(".")[0].partition("-")
    return _record_key(package, version.partition("-py")[0])


def _record_key(name: str, version: str) -> str:
    plain = name.lower().replace("_", "-").replace(".", "-")
    return f"{plain} {version}"
