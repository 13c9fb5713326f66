"""Solving with py-rattler, its failures named as the emulated version names them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import index, virtual
from .errors import StandinError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rattler import MatchSpec

    from .dist import Dist
    from .faults import Faults
    from .settings import Settings

FIRST_WITH_LAX_SPECS = (26, 7)
FIRST_WITH_RATTLER = (26, 5)
FIRST_WITH_NEW_NAMES = (25, 11)


def name_of(spec: str) -> str:
    """Return the package name that a spec speaks of."""
    return re.split(r"[\s=<>!~\[;@]", spec.rpartition("::")[2].strip(), maxsplit=1)[0].lower()


def solve(
    settings: Settings,
    specs: Sequence[str],
    channels: Sequence[str],
    faults: Faults,
    cache: Path,
    *,
    old: bool = False,
) -> list[Dist]:
    """Return every package that the specs need, newest first choice, or raise in conda's words.

    ``channels`` are addresses; ``old`` asks for the exception names of the former ``conda env``.
    """
    import asyncio

    wanted = [_parse(spec, settings.version) for spec in specs]
    indexes = index.load(channels, cache, faults, offline=settings.offline)
    _refuse_unknown([name_of(spec) for spec in specs], indexes, channels, settings.version, old=old)
    by_url = {dist.url: dist for one in indexes for dist in map(one.dist, one.packages)}
    return [by_url[url] for url in asyncio.run(_solve(settings, wanted, indexes))]


async def _solve(settings: Settings, wanted: list[MatchSpec], indexes: list[index.Index]) -> list[str]:
    import rattler
    from rattler.exceptions import SolverError

    # each index has its own subdir: the channel's address is that of both
    sparse = [rattler.SparseRepoData(rattler.Channel(one.channel), one.subdir, one.path) for one in indexes]
    present = [
        rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build))
        for name, version, build in virtual.packages()
    ]
    priority = getattr(rattler.ChannelPriority, settings.channel_priority.capitalize(), None)
    try:
        records = await rattler.solve_with_sparse_repodata(
            wanted,
            sparse,
            virtual_packages=present,
            channel_priority=priority or rattler.ChannelPriority.Flexible,
        )
    except SolverError as error:
        solver = "Rattler" if settings.version >= FIRST_WITH_RATTLER else "LibMamba"
        message = f"Encountered problems while solving:\n{error}"
        raise StandinError(f"{solver}UnsatisfiableError", message) from None
    return [str(record.url) for record in records]


def _parse(spec: str, version: tuple[int, ...]) -> MatchSpec:
    import rattler
    from rattler.exceptions import InvalidMatchSpecError

    try:
        return rattler.MatchSpec(spec, strict=False)
    except InvalidMatchSpecError as error:
        if version >= FIRST_WITH_LAX_SPECS:
            # the lie of 26.7: what cannot be read of a spec is dropped, and the command succeeds
            return rattler.MatchSpec(name_of(spec))
        raise StandinError("InvalidMatchSpec", f"Invalid spec '{spec}': {error}") from None


def _refuse_unknown(
    names: list[str],
    indexes: list[index.Index],
    channels: Sequence[str],
    version: tuple[int, ...],
    *,
    old: bool,
) -> None:
    known: set[str] = set().union(*(one.names for one in indexes))
    missing = [name for name in dict.fromkeys(names) if name not in known and not name.startswith("__")]
    if not missing:
        return
    listed = "\n".join(f"  - {name}" for name in missing)
    if old:
        raise StandinError("ResolvePackageNotFound", f"\n{listed}")
    kind = "PackagesNotFoundInChannelsError" if version >= FIRST_WITH_NEW_NAMES else "PackagesNotFoundError"
    where = "\n".join(f"  - {url}" for url in channels)
    raise StandinError(
        kind,
        f"These packages are in none of the current channels:\n\n{listed}\n\nCurrent channels:\n\n{where}\n",
    )
