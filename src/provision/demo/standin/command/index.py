"""The channels' indexes: fetched once a command, kept in the package cache for --offline."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import web
from .dist import Dist
from .errors import StandinError
from .virtual import subdir

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .faults import Faults


@dataclass(frozen=True)
class Index:
    """One channel's repodata.json for one platform, as a file and as read."""

    channel: str
    subdir: str
    path: Path
    packages: dict[str, dict[str, Any]]

    @property
    def names(self) -> set[str]:
        """Return every package name in it."""
        return {str(record["name"]) for record in self.packages.values()}

    def dist(self, fn: str) -> Dist:
        """Return the package of this file name."""
        return Dist(fn, self.channel, self.subdir, self.packages[fn])


def load(urls: Iterable[str], cache: Path, faults: Faults, *, offline: bool) -> list[Index]:
    """Fetch the indexes of channels for this platform and noarch, in the order given."""
    found = []
    for url in urls:
        for platform in (subdir(), "noarch"):
            index = _one(url, platform, cache, faults, offline=offline)
            if index is not None:
                found.append(index)
    return found


def _one(url: str, platform: str, cache: Path, faults: Faults, *, offline: bool) -> Index | None:
    address = f"{url}/{platform}/repodata.json"
    path = cache / "cache" / f"{hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()[:8]}.json"
    if offline and not url.startswith("file:"):
        if not path.exists():
            return None
    else:
        try:
            body = web.fetch(address, faults)
        except StandinError as error:
            # only noarch must exist in every channel
            if error.name == "UnavailableInvalidChannel" and platform != "noarch":
                return None
            raise
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(body)
        part.replace(path)
    read = json.loads(path.read_bytes())
    return Index(url, platform, path, {**read.get("packages", {}), **read.get("packages.conda", {})})
