"""One file with all that a lock installs, and the installer: written here, carried, and read into our cache there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.engine.fetch import our_cache
from provision.engine.our_packages import is_whole, packages_folder
from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

FORMAT = 1
INDEX = "bundle.json"
_LARGEST_INDEX = 16 << 20
_PACKAGE = re.compile(r"packages/([0-9a-f]{64})")
_INSTALLER = re.compile(r"installers/([A-Za-z0-9][A-Za-z0-9._-]{0,200})")
PIECE = 1 << 20
WRITES = "provision env bundle    writes one"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle says of itself."""

    locks: tuple[str, ...]
    """Content digests of the locks that it was made from."""
    installers: tuple[tuple[str, str], ...]
    """Name and SHA-256 of each."""
    count: int
    """Archives."""
    size: int
    """Bytes of all of them."""


def write_bundle(
    path: Path, locks: Sequence[str], files: Mapping[str, Path], installers: Mapping[str, tuple[Path, str]]
) -> Bundle:
    """Write a bundle by rename.

    Args:
        path: Where to.
        locks: Content digests of the locks.
        files: The archives by SHA-256.
        installers: Path and SHA-256 of each installer, by its name.

    Raises:
        UsageError: it cannot be written.
    """
    sizes = {digest: file.stat().st_size for digest, file in files.items()}
    bundle = Bundle(
        tuple(locks), tuple((name, sha256) for name, (_, sha256) in installers.items()), len(files), sum(sizes.values())
    )
    index = {
        "format": FORMAT,
        "locks": list(bundle.locks),
        "installers": [list(one) for one in bundle.installers],
        "packages": sizes,
    }
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with tarfile.open(part, "w") as tar:
            text = json.dumps(index, sort_keys=True).encode()
            about = tarfile.TarInfo(INDEX)
            about.size = len(text)
            tar.addfile(about, io.BytesIO(text))
            for digest, file in sorted(files.items()):
                tar.add(file, f"packages/{digest}", filter=_plain)
            for name, (file, _) in sorted(installers.items()):
                tar.add(file, f"installers/{name}", filter=_plain)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return bundle


def _plain(about: tarfile.TarInfo) -> tarfile.TarInfo:
    """Say nothing of this machine: the same content is the same bundle."""
    about.uid = about.gid = about.mtime = 0
    about.uname = about.gname = ""
    about.mode = 0o644
    return about


def read_bundle(path: Path, say: Callable[[str], None]) -> Bundle:
    """Read a bundle into our cache, each file checked; what is there already is passed over.

    Raises:
        UsageError: it is none, or damaged.
    """
    try:
        with path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            bundle = _index(path, tar)
            say(f"reading {path.name}: {bundle.count} packages, {bundle.size / 1e6:,.0f} MB")
            known, seen = dict(bundle.installers), 0
            for member in tar:
                if found := _PACKAGE.fullmatch(member.name):
                    _keep(path, tar, member, packages_folder() / found[1], found[1])
                    seen += 1
                elif (found := _INSTALLER.fullmatch(member.name)) and found[1] in known:
                    _keep(path, tar, member, our_cache() / found[1], known[found[1]])
    except (OSError, tarfile.TarError, EOFError) as error:
        raise UsageError(f"{path}: cannot be read as a bundle: {error}", hint=WRITES) from None
    if seen != bundle.count:
        raise UsageError(f"{path}: it was cut off after {seen} of {bundle.count} packages", hint="copy it once more")
    return bundle


def _index(path: Path, tar: tarfile.TarFile) -> Bundle:
    first = tar.next()
    file = tar.extractfile(first) if first is not None and first.name == INDEX and first.isfile() else None
    try:
        index = json.loads(file.read(_LARGEST_INDEX)) if file is not None else None
        if isinstance(index, dict) and index.get("format") == FORMAT:
            return Bundle(
                tuple(str(one) for one in index["locks"]),
                tuple((str(name), str(sha256)) for name, sha256 in index["installers"]),
                len(index["packages"]),
                sum(int(one) for one in index["packages"].values()),
            )
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise UsageError(f"{path}: not a bundle of provision, or of a newer one", hint=WRITES)


def _keep(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, sha256: str) -> None:
    if is_whole(target, sha256):
        return
    file = tar.extractfile(member) if member.isfile() else None
    digest = hashlib.new("sha256")
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            while file is not None and (piece := file.read(PIECE)):
                digest.update(piece)
                out.write(piece)
        if digest.hexdigest() != sha256:
            raise UsageError(f"{path}: {member.name} is damaged in it", hint="copy it once more, or write it anew")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
