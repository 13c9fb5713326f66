"""Installers of conda: names, addresses, and the sha256 that each must have.

Every row of table.json names the public source that its checksum was read from, and further ones that agree.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

MINICONDA = "Miniconda3"
MINIFORGE = "Miniforge3"
ARCHITECTURES = ("x86_64", "aarch64")
DISK = 1_000_000_000
"""Bytes that installing needs: the file (163 MB), what it holds (400 MB, documented), room to unpack."""

_URLS = {
    MINICONDA: "https://repo.anaconda.com/miniconda/{file}",
    MINIFORGE: "https://github.com/conda-forge/miniforge/releases/download/{version}/{file}",
}
_PREFERRED = ("py313", "py312")
"""Pythons for conda itself, the preferred first: they decide where a version has several installers."""
_VERSION = re.compile(r"(?:(py[0-9]{2,3})_)?([0-9]+(?:\.[0-9]+){1,2})(?:-([0-9]+))?\Z")


@dataclass(frozen=True, slots=True)
class Installer:
    """One installer file."""

    file_name: str
    version: str
    """As the file name has it: ``py313_26.7.1-1``."""
    architecture: str
    sha256: str | None
    """``None``: no row is known; the digest is pinned at first use."""
    source: str
    """Where the checksum was read: repository, path and commit; empty where there is none."""
    url: str
    also: tuple[str, ...] = ()
    """Further public sources that have the same checksum."""
    glibc: str | None = None
    """The oldest GNU C library that it runs on; ``None``: not known."""
    product: str = MINICONDA


def newest(architecture: str, product: str = MINICONDA) -> Installer:
    """Return the newest installer whose checksum is known.

    Raises:
        ValueError: There is none for that architecture (as ``uname -m`` says it).
    """
    found = [one for one in rows() if (one.architecture, one.product) == (architecture, product)]
    if not found:
        raise ValueError(f"there is no {product} installer for {architecture!r}; known: {', '.join(ARCHITECTURES)}")
    return max(found, key=_rank)


def find(version: str, architecture: str) -> Installer | None:
    """Return the installer of ``py313_26.7.1-1``, ``26.7.1`` (its newest build) or ``Miniforge3-26.3.2-2``.

    A version that says all that its file name needs and has no row comes without checksum; ``None`` means
    that the text or the architecture cannot name an installer.
    """
    product, text = (MINIFORGE, version[11:]) if version.lower().startswith("miniforge3-") else (MINICONDA, version)
    text = text.removeprefix("Miniconda3-")
    match = _VERSION.match(text)
    if match is None or architecture not in ARCHITECTURES or (product == MINIFORGE and match[1]):
        return None
    known = [
        one
        for one in rows()
        if (one.product, one.architecture) == (product, architecture) and _covers(match, one.version)
    ]
    if known:
        return max(known, key=_rank)
    if match[3] is None or (product == MINICONDA and match[1] is None):
        return None
    return _installer(product, text, architecture, None)


@cache
def rows() -> tuple[Installer, ...]:
    """Return the whole table."""
    table = json.loads(files(__package__).joinpath("table.json").read_text(encoding="utf-8"))
    return tuple(
        _installer(
            row["product"],
            row["version"],
            row["architecture"],
            row["sha256"],
            source=row["source"],
            also=tuple(row["also"]),
            glibc=row["glibc"],
        )
        for row in table["installers"]
    )


def _installer(
    product: str,
    version: str,
    architecture: str,
    sha256: str | None,
    *,
    source: str = "",
    also: tuple[str, ...] = (),
    glibc: str | None = None,
) -> Installer:
    file_name = f"{product}-{version}-Linux-{architecture}.sh"
    url = _URLS[product].format(file=file_name, version=version)
    return Installer(file_name, version, architecture, sha256, source, url, also, glibc, product)


def _covers(asked: re.Match[str], version: str) -> bool:
    has = _VERSION.match(version)
    return has is not None and all(
        wanted is None or wanted == found for wanted, found in zip(asked.groups(), has.groups(), strict=True)
    )


def _rank(installer: Installer) -> tuple[tuple[int, ...], int, int]:
    match = _VERSION.match(installer.version)
    if match is None:
        return (), 0, 0
    python = match[1] or ""
    preference = len(_PREFERRED) - _PREFERRED.index(python) if python in _PREFERRED else 0
    return tuple(int(part) for part in match[2].split(".")), int(match[3] or 0), preference
