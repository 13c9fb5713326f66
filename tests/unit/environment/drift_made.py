"""Listings of environments as tests of drift make them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from provision.environment.listing import CondaPackage, Listing, PipPackage

PYTHON = CondaPackage("python", "3.11.9", "h1_0_cpython", files=900, sha256="a" * 64)
NUMPY = CondaPackage("numpy", "1.26.4", "py311_0", files=40, distributions=("numpy",), sha256="b" * 64)
NUMPY_OF_CONDA = PipPackage("numpy", "1.26.4", "conda")
TORCH = PipPackage("torch", "2.4.0+cu124", "pip", requested=True)
BUILT = Listing((NUMPY, PYTHON), (NUMPY_OF_CONDA, TORCH))
"""What a build left: two packages by conda, one of them a distribution, and one by pip."""


def with_pip(listing: Listing, *packages: PipPackage) -> Listing:
    """Return the listing after pip brought these, over those of the same name."""
    names = {one.name for one in packages}
    return replace(listing, pip=(*(one for one in listing.pip if one.name not in names), *packages))


def without(listing: Listing, name: str) -> Listing:
    """Return the listing after conda removed a package, with the distribution that it had brought."""
    gone = next(one for one in listing.conda if one.name == name)
    return replace(
        listing,
        conda=tuple(one for one in listing.conda if one is not gone),
        pip=tuple(one for one in listing.pip if one.name not in gone.distributions),
    )


def printed(listing: Listing) -> bytes:
    """Return a listing as list_packages.py prints it."""
    records: list[dict[str, Any]] = [{"kind": "prefix", "format": 1, "markers": None}]
    for conda in listing.conda:
        record = {name: getattr(conda, name) for name in conda.__slots__}
        records.append({"kind": "conda", **record})
    for pip in listing.pip:
        record = {name: getattr(pip, name) for name in pip.__slots__}
        records.append({"kind": "pip", **record})
    records.append({"kind": "end", "conda": len(listing.conda), "pip": len(listing.pip)})
    return "".join(json.dumps(one) + "\n" for one in records).encode()
