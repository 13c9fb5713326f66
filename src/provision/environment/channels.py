"""Where channels really are: their names, their own addresses, and what a mirror serves in their place.

Source: the defaults of conda (``channel_alias`` https://conda.anaconda.org, ``default_channels`` pkgs/main and pkgs/r
of https://repo.anaconda.com), in its documentation's page on channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provision.model.host import Mirror

ALIAS = "https://conda.anaconda.org"
TORCH = "https://download.pytorch.org/whl"
"""PyTorch's own indexes of wheels, one for each CUDA, are below it."""
MAIN, R = "https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"
DEFAULTS = {"defaults": (MAIN, R), "main": (MAIN,), "r": (R,), "pkgs/main": (MAIN,), "pkgs/r": (R,)}


def own_urls(channel: str) -> tuple[str, ...]:
    """Return the addresses that a channel stands for: its own ones, never a mirror's."""
    if "://" in channel:
        return (channel.rstrip("/"),)
    return DEFAULTS.get(channel, (f"{ALIAS}/{channel}",))


def shown(url: str) -> str:
    """Return the shortest word that stands for a channel's own address."""
    for name, urls in DEFAULTS.items():
        if urls == (url,) and "/" in name:
            return name
    return url.removeprefix(f"{ALIAS}/")


def served_from(url: str, mirror: Mirror | None) -> tuple[str, ...]:
    """Return the addresses that serve what a channel's own address has: the mirror's first, its own last."""
    found: list[str] = []
    for name, served in (pair for one in (mirror.chain if mirror is not None else ()) for pair in _by_name(one)):
        own = own_urls(name)
        if url not in own:
            continue
        # `defaults` stands for several: a mirror names as many, in the same order.
        found += [served[own.index(url)]] if len(served) == len(own) else served
    return tuple(dict.fromkeys((*(one.rstrip("/") for one in found), url)))


def _by_name(mirror: Mirror) -> Iterable[tuple[str, list[str]]]:
    served: dict[str, list[str]] = {}
    for name, url in mirror.channels:
        served.setdefault(name, []).append(url)
    return served.items()


def folder_of(url: str) -> str:
    """Return the folder, relative and without surprises, in which a channel's packages are kept on a host."""
    text = shown(url) if url.startswith((f"{ALIAS}/", "https://repo.anaconda.com/")) else url.replace("://", "/")
    return "/".join(_plain(part) for part in text.split("/") if part)


def _plain(part: str) -> str:
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "._-") else f"%{ord(one):02x}" for one in part)
    return kept.replace(".", "%2e") if set(kept) == {"."} else kept


def own_of(url: str, channels: Sequence[str], mirror: Mirror | None) -> str | None:
    """Return the own address of the channel that an address of an archive belongs to; None: it is another one's.

    Args:
        url: Where the archive came from: a channel's own address, a mirror's, or a host's folder of packages.
        channels: The own addresses in question.
        mirror: What the host downloads from.
    """
    for own in channels:
        if any(url.startswith(f"{root}/") for root in served_from(own, mirror)):
            return own
        # conda quotes the name of the folder once more.
        if url.startswith("file://") and f"/channels/{folder_of(own)}/" in unquote(url):
            return own
    return None
