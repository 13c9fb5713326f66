"""The package cache: archives fetched and extracted there, and the ways in which a killed run spoils it."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING

from . import web
from .errors import StandinError, out_of_space

if TYPE_CHECKING:
    from pathlib import Path

    from .dist import Dist
    from .faults import Faults
    from .settings import Settings


def folder(settings: Settings) -> Path:
    """Return the first package cache that can be written; it is created."""
    for place in settings.pkgs_dirs:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK):
            return place
    listed = "\n".join(f"  - {place}" for place in settings.pkgs_dirs)
    raise StandinError("NoWritablePkgsDirError", f"No writeable pkgs directories configured.\n{listed}")


def download(dist: Dist, cache: Path, faults: Faults, *, offline: bool) -> Path:
    """Return the archive in the cache, fetched to NAME.partial and checked when it was not there yet."""
    archive = cache / dist.fn
    if archive.exists():
        return archive
    if offline and not dist.url.startswith("file:"):
        raise StandinError("OfflineError", f"Offline mode; {dist.url} is not in the package cache.")
    partial = cache / f"{dist.fn}.partial"
    digest = hashlib.new("sha256" if "sha256" in dist.record else "md5")
    try:
        with partial.open("wb") as file:
            for piece in web.stream(dist.url, faults):
                file.write(piece)
                digest.update(piece)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise out_of_space("link", str(partial)) from None
        raise
    expected = dist.record.get(digest.name)
    if (expected and digest.hexdigest() != expected) or faults.fails("checksum"):
        partial.unlink()
        raise StandinError(
            "ChecksumMismatchError",
            f"The content downloaded is not the content expected, for '{dist.url}'.\n"
            f"  download saved to: {archive}\n  expected {digest.name}: {expected}\n"
            f"  actual {digest.name}: {digest.hexdigest()}",
        )
    partial.rename(archive)
    return archive


def extract(dist: Dist, cache: Path, faults: Faults, number: int) -> Path:
    """Return the extracted package; one that has info/index.json counts as extracted, whatever is missing.

    That is how a run killed while extracting spoils the cache until it is cleaned.
    """
    place = cache / dist.stem
    if (place / "info/index.json").exists():
        return place
    archive = cache / dist.fn
    try:
        (place / "info").mkdir(parents=True, exist_ok=True)
        asyncio.run(_info_first(archive, place))
        if faults.at(f"extract:{number}"):
            _fill_up()
        _unpack(archive, place)
        if faults.kills(f"extract-half:{number}"):
            _halve(place)
            faults.die()
        (place / "info/repodata_record.json").write_text(json.dumps({**dist.record, "url": dist.url}))
    except OSError as error:
        if error.errno != errno.ENOSPC and "os error 28" not in str(error) and "No space left" not in str(error):
            raise
        shutil.rmtree(place, ignore_errors=True)
        raise out_of_space("extract", str(archive)) from None
    return place


def discard(dist: Dist, cache: Path) -> None:
    """Remove what an interrupted extraction left."""
    shutil.rmtree(cache / dist.stem, ignore_errors=True)


def verify(dist: Dist, place: Path) -> None:
    """Raise CondaVerificationError when a file of the package is missing or of another size."""
    for entry in json.loads((place / "info/paths.json").read_text())["paths"]:
        path = place / entry["_path"]
        if not path.is_symlink() and not path.exists():
            fault = f"The path '{entry['_path']}'\nspecified in the package manifest cannot be found."
        elif entry["path_type"] == "hardlink" and path.stat().st_size != entry["size_in_bytes"]:
            fault = f"The path '{entry['_path']}'\nhas an incorrect size."
        else:
            continue
        raise StandinError(
            "CondaVerificationError",
            f"The package for {dist.name} located at {place}\nappears to be corrupted. {fault}",
        )


def clean(cache: Path, *, packages: bool, archives: bool, indexes: bool) -> list[str]:
    """Remove unused extracted packages, archives and indexes; return what went."""
    gone = []
    for path in sorted(cache.iterdir()) if cache.is_dir() else []:
        if path.is_dir() and path.name == "cache":
            remove = indexes
        elif path.is_dir():
            remove = packages and (path / "info").exists() and not _in_use(path)
        else:
            remove = archives and path.name.endswith((".conda", ".tar.bz2", ".partial"))
        if remove:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            gone.append(path.name)
    return gone


def _in_use(place: Path) -> bool:
    return any(path.is_file() and path.stat().st_nlink > 1 for path in place.rglob("*") if not path.is_symlink())


async def _info_first(archive: Path, place: Path) -> None:
    from rattler.package_streaming import PackageArchive

    names = ("info/index.json", "info/paths.json")
    found = await (await PackageArchive.from_path(archive)).read_files(names)
    for name in names:
        (place / name).write_bytes(found[name] or b"{}")


def _unpack(archive: Path, place: Path) -> None:
    from rattler.package_streaming import extract as unpack

    unpack(archive, place)


def _halve(place: Path) -> None:
    entries = json.loads((place / "info/paths.json").read_text())["paths"]
    for entry in entries[len(entries) // 2 :]:
        (place / entry["_path"]).unlink()


def _fill_up() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
