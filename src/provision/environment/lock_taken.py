"""A lock from what a host has installed: no solving, every archive and wheel by the checksum that the host knows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from provision.environment.channels import own_of, own_urls
from provision.environment.export_pip import pip_owned
from provision.environment.lock import NO_CUDA, Lock, LockedPackage, LockedWheel, file_stem, parse_lock, render

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provision.environment.listing import CondaPackage, Listing, PipPackage
    from provision.model.host import Mirror

_LARGEST = 16 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOGIN = re.compile(r"://[^/]*@")


@dataclass(frozen=True, slots=True)
class Archives:
    """What tell_archives.py says."""

    needs: Mapping[str, tuple[str, ...]]
    """Names that each package of conda's needs."""
    size: int
    """Bytes of all archives of conda's."""
    wheels: Mapping[tuple[str, str], tuple[str, str, int]]
    """SHA-256, address (empty: an index) and size (0: nobody says) of a wheel, by normalised name and version."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The host that an environment was solved on."""

    platform: str
    cuda: str
    glibc: str


class UnknownError(ValueError):
    """Not all of it is known."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")
        self.problems = tuple(problems)
        """One line each."""


def parse_archives(output: bytes) -> Archives:
    """Return what the script printed.

    Raises:
        ValueError: it is not the script's.
    """
    try:
        said: Any = json.loads(output[:_LARGEST])
        said = said if said["format"] == 1 else {}
        needs = {str(name): tuple(str(one) for one in told["needs"]) for name, told in said["conda"].items()}
        size = sum(int(told["size"]) for told in said["conda"].values())
        wheels = dict(_wheels(said["pip"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"what the host knows of its packages is not understood: {error}") from None
    return Archives(needs, max(size, 0), wheels)


def taken(
    listing: Listing,
    archives: Archives,
    *,
    channels: Iterable[str],
    mirrors: Sequence[Mirror | None],
    pip: Sequence[str],
    machine: Machine,
    asked: str,
    source: str,
) -> Lock:
    """Return the lock of what is installed.

    Args:
        listing: What is installed.
        archives: What the host knows besides.
        channels: Those of the environment file.
        mirrors: Servers that packages may have come from.
        pip: The pip lines of the environment file, options included.
        machine: The host.
        asked: Digest of what the environment file asks for.
        source: The file that the lock will be.

    Raises:
        UnknownError: a checksum or an address is not known.
    """
    problems: list[str] = []
    own = [url for one in channels for url in own_urls(one)]
    conda = [_conda(one, own, mirrors, problems) for one in _ordered(listing.conda, archives.needs)]
    wheels = [_wheel(one, archives, problems) for one in pip_owned(listing)]
    if problems:
        raise UnknownError(problems)
    options = tuple(line for line in pip if line.startswith("--")) if wheels else ()
    lock = Lock(
        source,
        asked,
        machine.platform,
        machine.cuda or NO_CUDA,
        machine.glibc,
        {"linux-64": "x86_64"}.get(machine.platform, "aarch64"),
        tuple(one for one in conda if one is not None),
        tuple(sorted((one for one in wheels if one is not None), key=lambda one: one.name)),
        options,
        archives.size,
    )
    # A host wrote most of it: what is written is what can be read.
    stem = file_stem("environment", machine.platform, lock.cuda)
    try:
        parse_lock(*render(lock, stem), source)
    except ValueError as error:
        raise UnknownError([f"what it has cannot be written as a lock: {error}"]) from None
    return lock


def _conda(
    package: CondaPackage, own: Sequence[str], mirrors: Sequence[Mirror | None], problems: list[str]
) -> LockedPackage | None:
    url = (package.url or "").partition("#")[0]
    channel = next((found for one in (None, *mirrors) if (found := own_of(url, own, one)) is not None), None)
    shown = f"{package.name} {package.version} {package.build}"
    if channel is None:
        origin = f"came from {url}, which" if url else "does not say where it came from: it"
        problems.append(f"{shown} {origin} is no channel of the environment file")
        return None
    if package.sha256 is None or not _SHA256.fullmatch(package.sha256):
        problems.append(f"{shown}: conda noted no sha256 of its archive")
        return None
    folder, _, file_name = url.rpartition("/")
    subdir = folder.rpartition("/")[2]
    return LockedPackage(
        package.name, package.version, package.build, channel, subdir, unquote(file_name), package.sha256
    )


def _wheel(package: PipPackage, archives: Archives, problems: list[str]) -> LockedWheel | None:
    shown = f"{package.name} {package.version} (pip)"
    name = canonicalize_name(package.name)
    digest, url, size = archives.wheels.get((name, package.version), ("", "", 0))
    url = url or package.direct_url or ""
    if package.editable or package.commit:
        problems.append(f"{shown}: it is no release but a folder or a repository, and pip takes no such line in a lock")
    elif url and not url.startswith("https://"):
        problems.append(f"{shown}: it came from {url}, which other hosts do not have")
    elif _LOGIN.search(url):
        problems.append(f"{shown}: it came from an address with a login, which no lock holds")
    elif not digest:
        problems.append(
            f"{shown}: its checksum is not known there any more: pip did not note it, nor is it in its cache"
        )
    else:
        return LockedWheel(name, "" if url else package.version, (digest,), url or None, size or None)
    return None


def _ordered(packages: Iterable[CondaPackage], needs: Mapping[str, tuple[str, ...]]) -> Iterator[CondaPackage]:
    """Yield each package after what it needs; where some need each other, by name."""
    there = {one.name: one for one in sorted(packages, key=lambda one: one.name)}
    seen: set[str] = set()
    for first in there:
        stack = [(first, False)]
        while stack:
            name, ready = stack.pop()
            if ready:
                yield there[name]
            elif name in there and name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack += [(one, False) for one in sorted(needs.get(name, ()), reverse=True)]


def _wheels(said: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], tuple[str, str, int]]]:
    for folder, told in said.items():
        name, _, version = folder.removesuffix(".dist-info").partition("-")
        digest, url, size = told["sha256"], told.get("url", ""), told.get("size", 0)
        if _SHA256.fullmatch(digest) and isinstance(url, str) and isinstance(size, int):
            yield (canonicalize_name(name), version), (digest, url, max(size, 0))
