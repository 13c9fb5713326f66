"""Names of channels for the addresses that packages came from: a mirror, a local copy or a token stays behind.

Source of the addresses: the conda documentation of ``channel_alias``, ``default_channels`` and tokens of anaconda.org.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.decode import printable
from provision.environment.channels import own_of, own_urls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provision.environment.listing import CondaPackage

_ANACONDA = re.compile(r"https?://(?:conda\.anaconda\.org|anaconda\.org)/(.+)")
_DEFAULTS = re.compile(r"https?://(?:repo\.anaconda\.com|repo\.continuum\.io)/pkgs/(?:main|r|msys2|free|pro)")
_OF_DEFAULTS = ("defaults", "main", "r", "msys2", "pkgs/main", "pkgs/r", "pkgs/msys2", "pkgs/free", "pkgs/pro")
_SUBDIR = re.compile(r"/(?:noarch|(?:linux|osx|win)-[a-z0-9]+)(?:/[^/]*)?$")
_SECRET = re.compile(r"(?<=://)[^/@]*@|/t/[^/]+(?=/)")


@dataclass(frozen=True, slots=True)
class ChannelNames:
    """What stands behind the addresses of one host."""

    mirrors: tuple[tuple[str, str], ...] = ()
    """Pairs of channel name and the URL that serves it there."""
    originals: Mapping[str, str] = field(default_factory=dict)
    """Where an archive really comes from, by its sha256, its md5 or its file name: of the locks."""

    def name(self, address: str) -> str:
        """Return the channel that an address means: a name where it has one, else the URL without a login."""
        plain = _SECRET.sub("", address.strip()).rstrip("/")
        plain = _SUBDIR.sub("", plain) if "://" in plain else plain
        for name, url in self.mirrors:
            if url.rstrip("/") == plain:
                return "defaults" if name in _OF_DEFAULTS else name
        if _DEFAULTS.fullmatch(plain):
            return "defaults"
        match = _ANACONDA.fullmatch(plain)
        return match[1] if match else plain

    def of(self, package: CondaPackage, asked: Sequence[str] = ()) -> str | None:
        """Return the channel of a package; ``None``: only a folder of the host is known.

        ``asked`` are channels whose packages may lie in a folder of provision's own.
        """
        address = package.url or package.channel or ""
        if address.startswith(("file:", "/")):
            for one in asked:
                if own_of(address, own_urls(one), None) is not None:
                    return one
            keys = (package.sha256, package.md5, address.rpartition("/")[2])
            address = next((self.originals[key] for key in keys if key and key in self.originals), "")
        return self.name(address) if address else None


def channels_of(
    asked: Sequence[str], packages: Iterable[CondaPackage], names: ChannelNames, notes: list[str]
) -> list[tuple[str, str | None]]:
    """Return (channel, the asked one that it stands for): those asked for in their order, then others in use."""
    found: dict[str, str | None] = {}
    for one in asked:
        # `main` alone is not `defaults`: what the user wrote as a name stays.
        found.setdefault(names.name(one) if "://" in one else one, one)
    local: list[str] = []
    listed = [(package, names.of(package, asked)) for package in packages]
    most = Counter(name for _, name in listed)
    # Where nobody says an order: what most packages came from first.
    for package, name in sorted(listed, key=lambda one: -most[one[1]]):
        if name is None:
            local.append(package.name)
        elif name not in found and not (name in _OF_DEFAULTS and any(one in _OF_DEFAULTS for one in found)):
            found[name] = None
        if _SECRET.search(package.url or ""):
            _once(notes, f"channel {printable(name or '?')} needs a login, which is left out")
    if local and not asked:
        more = f" and {len(local) - 1} more" if len(local) > 1 else ""
        notes.append(
            f"{printable(local[0])}{more} came from a folder of the host: no lock here says which channel has it"
        )
    if not found:
        notes.append("no package says which channel it came from: conda-forge is named")
        found["conda-forge"] = None
    return list(found.items())


def _once(notes: list[str], text: str) -> None:
    if text not in notes:
        notes.append(text)
