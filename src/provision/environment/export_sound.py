"""What a host says of packages, less what would pass for something else in a file: a name that is an option."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provision.decode import printable
from provision.decode.text import invisible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.environment.listing import CondaPackage, Listing, PipPackage

_CONDA_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PIP_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.+!-]*")
_BUILD = re.compile(r"[0-9A-Za-z_.+-]*")
_ADDRESS = re.compile(r"[^\s;#'\"`<>\\]+")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def sound(listing: Listing, notes: list[str]) -> Listing:
    """Return the listing with only those packages whose names and versions can stand in a file."""
    conda = tuple(_conda(one) for one in listing.conda if _named(one, _CONDA_NAME, notes))
    pip = tuple(_pip(one) for one in listing.pip if _named(one, _PIP_NAME, notes))
    return replace(listing, conda=conda, pip=pip)


def sound_texts(asked: Mapping[str, Any] | None, key: str, notes: list[str]) -> tuple[str, ...]:
    """Return lines of a generation's marker: a host wrote it, so neither type nor characters are taken for granted."""
    lines = (asked or {}).get(key)
    found = []
    for one in lines if isinstance(lines, list) else ():
        if not isinstance(one, str) or invisible(one) is not None or "\n" in one or "\r" in one:
            notes.append(f"a line of the build's own record cannot be taken: {printable(str(one))}")
        elif one.strip():
            found.append(one)
    return tuple(found)


def _named(package: CondaPackage | PipPackage, name: re.Pattern[str], notes: list[str]) -> bool:
    if name.fullmatch(package.name) and _VERSION.fullmatch(package.version):
        return True
    notes.append(f"a package with an impossible name or version is left out: {printable(package.name)}")
    return False


def _conda(package: CondaPackage) -> CondaPackage:
    build = package.build if _BUILD.fullmatch(package.build) else ""
    asked = tuple(one for one in package.asked if invisible(one) is None and "\n" not in one)
    return replace(package, build=build, asked=asked, url=_address(package.url), channel=_address(package.channel))


def _pip(package: PipPackage) -> PipPackage:
    commit = package.commit if package.commit and _COMMIT.fullmatch(package.commit) else None
    address = package.direct_url
    # One that cannot stand in a file came from no index all the same.
    return replace(package, commit=commit, direct_url=address if not address or _address(address) else "file:")


def _address(text: str | None) -> str | None:
    return text if text and _ADDRESS.fullmatch(text) and invisible(text) is None else None
