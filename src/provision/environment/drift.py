"""What an environment has that another has not: packages added, removed and changed, by conda and by pip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.environment.listing import CondaPackage, Listing, PipPackage
    from provision.environment.lock import Lock

CONDA, PIP, PYTHON = "conda", "pip", "python"
_BY_HAND = frozenset({"pip", "uv"})
"""Installers that leave conda's own record of a package as it was."""


@dataclass(frozen=True, slots=True)
class Held:
    """One package as an environment has it."""

    by: str
    """``conda`` or ``pip``: who brought it; ``python``: that is not asked."""
    name: str
    version: str
    build: str = ""
    """conda's build, which tells a build for CUDA from one for the CPU."""
    sha256: str = ""
    """Of conda's archive; empty: nobody says."""
    origin: str = ""
    """Where pip had it from, with the commit, when it was no index."""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other package of the same environment."""
        return self.by, self.name

    @property
    def shown(self) -> str:
        """Its version as a message says it."""
        return " ".join(filter(None, (self.version, self.build, f"from {self.origin}" if self.origin else "")))

    def same(self, other: Held) -> bool:
        """Whether both are one build of one version; a checksum counts where both sides know it."""
        if (self.version, self.build, self.origin) != (other.version, other.build, other.origin):
            return False
        return not (self.sha256 and other.sha256) or self.sha256 == other.sha256


@dataclass(frozen=True, slots=True)
class Change:
    """One package that differs."""

    was: Held | None
    """``None``: it was added."""
    now: Held | None
    """``None``: it was removed."""

    @property
    def held(self) -> Held:
        """The package as it is, or as it was where it is gone."""
        one = self.now or self.was
        assert one is not None  # noqa: S101 - a change has a side
        return one

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "added" if self.was is None else "removed" if self.now is None else "changed"


@dataclass(frozen=True, slots=True)
class Damage:
    """A package of conda's whose files are not all there."""

    name: str
    version: str
    missing: int
    files: int
    example: str = ""


def held(listing: Listing) -> tuple[Held, ...]:
    """Return what is installed, each package once: a distribution that conda brought is conda's."""
    conda = [Held(CONDA, one.name.lower(), one.version, one.build, sha256=one.sha256 or "") for one in listing.conda]
    owners = _owners(listing.conda)
    pip = [distribution(one) for one in listing.pip if not _brought_by_conda(one, owners)]
    return tuple(sorted({one.key: one for one in (*conda, *pip)}.values(), key=lambda one: one.key))


def held_by_lock(lock: Lock) -> tuple[Held, ...]:
    """Return what a lock installs."""
    conda = [Held(CONDA, one.name.lower(), one.version, one.build, sha256=one.sha256 or "") for one in lock.conda]
    pip = [Held(PIP, canonicalize_name(one.name), one.version) for one in lock.pip]
    return tuple(sorted((*conda, *pip), key=lambda one: one.key))


def distribution(package: PipPackage) -> Held:
    """Return a Python distribution as pip knows it."""
    origin = "@".join(filter(None, (package.direct_url, package.commit)))
    # A wheel from a folder or an index by its address: which copy of it was taken says nothing of its content.
    if origin.startswith("file:") and not package.editable:
        origin = ""
    return Held(PIP, canonicalize_name(package.name), package.version, origin=origin)


def distributions(listing: Listing) -> tuple[Held, ...]:
    """Return all that Python sees, whoever brought it, and Python itself: what a venv can be compared with."""
    found = {one.name: Held(PYTHON, one.name, one.version) for one in map(distribution, listing.pip)}
    python = (listing.markers or {}).get("python_full_version")
    if python is not None:
        found.setdefault("python", Held(PYTHON, "python", python))
    return tuple(found[name] for name in sorted(found))


def compare(was: Iterable[Held], now: Iterable[Held]) -> tuple[Change, ...]:
    """Return what differs, conda's packages first, by name."""
    before, after = ({one.key: one for one in side} for side in (was, now))
    changes = (Change(before.get(key), after.get(key)) for key in sorted({*before, *after}))
    return tuple(one for one in changes if one.was is None or one.now is None or not one.was.same(one.now))


def damaged(listing: Listing) -> tuple[Damage, ...]:
    """Return conda's packages that lack files, but for those that pip replaced: these are no longer conda's."""
    owners = _owners(listing.conda)
    replaced = {
        owner.name
        for one in listing.pip
        if (owner := owners.get(canonicalize_name(one.name))) is not None and one.installer in _BY_HAND
    }
    return tuple(
        Damage(one.name, one.version, one.missing, one.files, next(iter(one.missing_examples), ""))
        for one in listing.conda
        if one.missing and one.name not in replaced
    )


def _owners(packages: Iterable[CondaPackage]) -> dict[str, CondaPackage]:
    return {canonicalize_name(name): one for one in packages for name in one.distributions}


def _brought_by_conda(package: PipPackage, owners: dict[str, CondaPackage]) -> bool:
    owner = owners.get(canonicalize_name(package.name))
    if owner is None:
        return False
    # Old packages of conda's say that pip installed them: pip ran when they were made.
    return package.installer not in _BY_HAND or _equal(owner.version, package.version)


def _equal(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
