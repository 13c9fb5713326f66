"""Files of specs: plain lists, and ``@EXPLICIT`` lists of archives that need no solving."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from . import cache
from .dist import Dist
from .errors import StandinError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .session import Session


SHA256_DIGITS = 64


def read(paths: Sequence[Path]) -> tuple[list[str], bool]:
    """Return the lines of spec files, and whether they are explicit addresses."""
    lines: list[str] = []
    for path in paths:
        try:
            text = path.read_text()
        except OSError as error:
            raise StandinError("CondaFileIOError", f"'{path}'. {error.strerror}") from None
        lines += [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    explicit = "@EXPLICIT" in lines
    return [line for line in lines if line != "@EXPLICIT"], explicit


def explicit(session: Session, lines: Sequence[str]) -> list[Dist]:
    """Fetch the archives of an ``@EXPLICIT`` list and return them as packages."""
    store = cache.folder(session.settings)
    return [asyncio.run(_one(session, line, store)) for line in lines]


async def _one(session: Session, line: str, store: Path) -> Dist:
    from rattler.package_streaming import PackageArchive

    url, _, checksum = line.partition("#")
    url = url if "://" in url else f"file://{url}"
    base, platform, fn = url.rsplit("/", 2)
    checked: dict[str, str] = {}
    if checksum:
        checksum = checksum.removeprefix("sha256:")
        # Both are taken since 24.9; before, an MD5 alone.
        checked = {"sha256" if len(checksum) == SHA256_DIGITS else "md5": checksum}
    cached = cache.download(Dist(fn, base, platform, checked), store, session.faults, offline=session.settings.offline)
    index = await (await PackageArchive.from_path(cached)).read_file("info/index.json")
    if index is None:
        raise StandinError("InvalidArchiveError", f"No index in {cached}")
    record = {**json.loads(index), **checked, "size": cached.stat().st_size}
    return Dist(fn, base, platform, record)
