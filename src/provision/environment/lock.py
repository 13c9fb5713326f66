"""A lock: every archive that an environment is made of on one kind of host, by checksum.

Two files, usable without provision: conda's ``@EXPLICIT`` list with SHA-256 behind ``#`` (conda 24.9 and newer reads
them), and a requirements file with ``--hash`` for pip. What they were made for stands in comments.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT = 1
NO_CUDA = "none"
_ARCHIVE = re.compile(
    r"(?P<channel>(?:https?|file)://\S+?)/(?P<subdir>noarch|linux-[a-z0-9]+)/"
    r"(?P<file>(?P<name>[A-Za-z0-9_.][A-Za-z0-9_.-]*)-(?P<version>[^-/#\s]+)-(?P<build>[^-/#\s]+)\.(?:conda|tar\.bz2))"
    r"#(?:sha256:)?(?P<sha256>[0-9a-f]{64})"
)
_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:==(?P<version>[^\s;]+)| @ (?P<direct>https?://\S+))"
    r"(?P<rest>(?:\s+--hash=sha256:[0-9a-f]{64})+)"
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_FROM = re.compile(r"# (?P<size>\d{1,15}) (?P<url>(?:https?|file)://\S+)")
_HEADER = re.compile(r"# (?P<key>[a-z]+): (?P<value>\S.*)")
_MOST = 5_000
_FORMAT = re.compile(r"(?m)^# Written by `provision env lock`, format (?P<format>\d{1,9})\b")


class NewerLockError(ValueError):
    """A newer provision wrote it: what it says may mean something else."""


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One archive of a conda channel."""

    name: str
    version: str
    build: str
    channel: str
    """The channel's own address, never a mirror's."""
    subdir: str
    """``noarch``, ``linux-64``..."""
    file_name: str
    sha256: str

    @property
    def url(self) -> str:
        """The archive's own address."""
        return f"{self.channel}/{self.subdir}/{self.file_name}"


@dataclass(frozen=True, slots=True)
class LockedWheel:
    """One distribution that pip installs."""

    name: str
    """Normalised by PEP 503."""
    version: str
    """Empty where the environment file names an address instead."""
    hashes: tuple[str, ...]
    """SHA-256 of the files that are taken, the best first."""
    url: str | None = None
    """Where the first of them was seen."""
    size: int | None = None
    """Its size in bytes."""

    @property
    def pin(self) -> str:
        """The line without its checksums."""
        return f"{self.name}=={self.version}" if self.version else f"{self.name} @ {self.url}"

    @property
    def line(self) -> str:
        """The line of a requirements file."""
        return " ".join((self.pin, *(f"--hash=sha256:{one}" for one in self.hashes)))


@dataclass(frozen=True, slots=True)
class Lock:
    """All that an environment is made of on one kind of host."""

    source: str
    """The file of the conda part, as messages name it."""
    asked: str
    """Digest of what the environment file asked for."""
    platform: str
    cuda: str
    """Least ``__cuda`` of its hosts; ``none``: for hosts without a GPU."""
    glibc: str
    """Least glibc of its hosts."""
    archspec: str
    """The least processor of its hosts, by archspec's name."""
    conda: tuple[LockedPackage, ...]
    """In an order in which each comes after what it needs."""
    pip: tuple[LockedWheel, ...] = ()
    pip_options: tuple[str, ...] = ()
    """Option lines such as ``--extra-index-url URL``."""
    size: int = 0
    """Bytes of conda's archives; 0: nobody says."""

    @property
    def content(self) -> str:
        """SHA-256 of what it installs: equal for equal packages, wherever they come from."""
        lines = [f"conda {one.file_name} {one.sha256}" for one in self.conda]
        lines += [f"pip {one.name} {one.version} {' '.join(sorted(one.hashes))}" for one in self.pip]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    @property
    def requirements(self) -> str:
        """The requirements file's lines without comments; empty without a pip part."""
        return "".join(f"{line}\n" for line in (*self.pip_options, *(one.line for one in self.pip))) if self.pip else ""

    def find(self, name: str) -> LockedPackage | None:
        """Return the conda package of that name."""
        return next((one for one in self.conda if one.name == name), None)


def file_stem(environment: str, platform: str, cuda: str) -> str:
    """Return how the files of a lock are called: ``environment.linux-64-cuda12``."""
    kind = "cpu" if cuda == NO_CUDA else f"cuda{cuda.partition('.')[0]}"
    return f"{environment}.{platform}-{kind}"


def render(lock: Lock, stem: str) -> tuple[str, str | None]:
    """Return the texts of both files; no second one where pip installs nothing."""
    requirements = f"{stem}.requirements.txt"
    about = [
        f"# Written by `provision env lock`, format {FORMAT}: change the environment file and lock again, not this.",
        f"# By hand: conda create --prefix PREFIX --file {stem}.lock   (conda 24.9 or newer)",
        *([f"#          PREFIX/bin/python -m pip install --no-deps -r {requirements}"] if lock.pip else []),
        f"# platform: {lock.platform}",
        f"# cuda: {lock.cuda}",
        f"# glibc: {lock.glibc}",
        f"# archspec: {lock.archspec}",
        f"# size: {lock.size}",
        f"# asked: {lock.asked}",
        f"# pip: {pip_digest(lock.pip, lock.pip_options) if lock.pip else 'nothing'}",
        "@EXPLICIT",
    ]
    conda = "\n".join((*about, *(f"{one.url}#{one.sha256}" for one in lock.conda))) + "\n"
    if not lock.pip:
        return conda, None
    lines = [f"# Written by `provision env lock` together with {stem}.lock.", *lock.pip_options]
    for one in lock.pip:
        if one.url is not None:
            lines.append(f"# {one.size or 0} {one.url}")
        lines += [f"{one.pin} \\"]
        lines += [f"    --hash=sha256:{digest} \\" for digest in one.hashes[:-1]]
        lines += [f"    --hash=sha256:{one.hashes[-1]}"]
    return conda, "\n".join(lines) + "\n"


def pip_digest(pip: Iterable[LockedWheel], options: Iterable[str]) -> str:
    """Return what the conda part's header says of the pip part, so that two files of different days never pair."""
    return hashlib.sha256("\n".join((*options, *(one.line for one in pip))).encode()).hexdigest()


def parse_lock(text: str, requirements: str | None, source: str) -> Lock:
    """Return what both files say.

    Raises:
        NewerLockError: a newer provision wrote them.
        ValueError: They are no lock, or do not belong together; the message is one line with the line's number.
    """
    if (newer := _FORMAT.search(text[:4096])) is not None and int(newer["format"]) > FORMAT:
        raise NewerLockError(f"its format {newer['format']} is of a newer provision (this one reads {FORMAT})")
    header: dict[str, str] = {}
    packages: list[LockedPackage] = []
    explicit = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if found := _HEADER.fullmatch(line):
            header.setdefault(found["key"], found["value"])
        elif line == "@EXPLICIT":
            explicit = True
        elif line and not line.startswith("#"):
            packages.append(_package(line, number))
    if not explicit or not packages or len(packages) > _MOST:
        raise ValueError("not a lock: it has no '@EXPLICIT' with archives below it")
    missing = [key for key in ("platform", "cuda", "glibc", "archspec", "asked", "pip") if key not in header]
    if missing:
        raise ValueError(f"not a lock of provision: its comments do not say '{missing[0]}:'")
    pip, options = _pip(requirements) if requirements is not None else ((), ())
    said = pip_digest(pip, options) if pip else "nothing"
    if said != header["pip"]:
        raise ValueError(
            "its requirements file is missing" if requirements is None else "its requirements file is another lock's"
        )
    return Lock(
        source,
        header["asked"],
        header["platform"],
        header["cuda"],
        header["glibc"],
        header["archspec"],
        tuple(packages),
        pip,
        options,
        int(size) if (size := header.get("size", "0")).isascii() and size.isdigit() and len(size) < 16 else 0,  # noqa: PLR2004 - digits
    )


def _package(line: str, number: int) -> LockedPackage:
    found = _ARCHIVE.fullmatch(line)
    if found is None:
        raise ValueError(f"line {number}: not the address of an archive with its sha256: {line[:80]!r}")
    return LockedPackage(
        found["name"],
        found["version"],
        found["build"],
        found["channel"],
        found["subdir"],
        found["file"],
        found["sha256"],
    )


def _pip(text: str) -> tuple[tuple[LockedWheel, ...], tuple[str, ...]]:
    wheels: list[LockedWheel] = []
    options: list[str] = []
    origin: re.Match[str] | None = None
    for line in text.replace("\\\n", " ").splitlines():
        plain = " ".join(line.split())
        if found := _PIN.fullmatch(plain):
            url, size = (origin["url"], int(origin["size"])) if origin else (None, 0)
            hashes = tuple(_HASH.findall(found["rest"]))
            name, version = canonicalize_name(found["name"]), found["version"] or ""
            wheels.append(LockedWheel(name, version, hashes, found["direct"] or url, size or None))
            origin = None
        elif plain.startswith("--"):
            options.append(plain)
        elif plain.startswith("#"):
            origin = _FROM.fullmatch(plain) or origin
        elif plain:
            raise ValueError(f"its requirements file has a line without a version and a hash: {plain[:80]!r}")
    if len(wheels) > _MOST:
        raise ValueError("its requirements file is longer than any lock")
    return tuple(wheels), tuple(options)


def fitting(locks: Iterable[Lock], platform: str, cuda: str, glibc: str | None) -> Lock | None:
    """Return the lock for such a host: the one that wants most of what the host has; None: there is none."""
    usable = [
        one
        for one in locks
        if one.platform == platform
        and (one.cuda == NO_CUDA) == (cuda == NO_CUDA)
        and (cuda == NO_CUDA or _numbers(one.cuda) <= _numbers(cuda))
        and (glibc is None or _numbers(one.glibc) <= _numbers(glibc))
    ]
    return max(usable, key=lambda one: (_numbers(one.cuda), _numbers(one.glibc)), default=None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d{1,9}", version))
