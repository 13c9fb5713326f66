"""The conda part of a lock, solved by rattler on this machine from the channels' indexes."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from provision.environment.channels import own_urls, served_from
from provision.environment.lock import LockedPackage
from provision.errors import StepFailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.model.host import Mirror
    from provision.solving.machine import Machine

INSTALL = "pip install 'provision-gpu[lock]'; or take what a host has: provision env lock --from HOST"


@dataclass(frozen=True, slots=True)
class CondaSolution:
    """What the solver chose."""

    packages: tuple[LockedPackage, ...]
    """Each after what it needs."""
    of_python: frozenset[str]
    """Names of those that need Python: their files are a Python distribution's, as a rule."""
    python: str | None
    """Version of Python."""
    size: int
    """Bytes of all archives."""


def solve(
    dependencies: Sequence[str],
    channels: Sequence[str],
    machine: Machine,
    mirror: Mirror | None,
    kept: Sequence[LockedPackage] = (),
) -> CondaSolution:
    """Return the packages for such a machine; the indexes are read through the mirror, addresses are the originals'.

    Args:
        dependencies: Match specifications.
        channels: Names or addresses, the first one wins.
        machine: What the solver may take for granted.
        mirror: Nearer servers.
        kept: Packages that stay as they are wherever the dependencies allow it.

    Raises:
        UsageError: rattler is not installed, or a dependency cannot be read.
        StepFailedError: an index cannot be read, or nothing satisfies the file.
    """
    try:
        import rattler
        from rattler.exceptions import InvalidMatchSpecError, SolverError
    except ImportError:
        raise UsageError("nothing here can solve an environment: py-rattler is not installed", hint=INSTALL) from None
    sources = _sources(channels, mirror)
    try:
        specs = [rattler.MatchSpec(one, strict=False) for one in dependencies]
        records = asyncio.run(_solve(rattler, specs, tuple(sources), machine, kept))
    except InvalidMatchSpecError as error:
        raise UsageError(f"a dependency cannot be read: {_line(error)}") from None
    except SolverError as error:
        raise StepFailedError(
            f"no set of packages is what the environment file asks for, on {machine.shown}",
            hint="check the names and relax a version: `provision env lock` shows what stands in the way",
            detail=str(error),
        ) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"rattler", "exceptions", "builtins"}:
            raise
        raise StepFailedError(
            f"the channels' indexes cannot be read: {_line(error)}",
            hint="is the network there? `mirrors:` in hosts.yaml names nearer servers, --mirror takes one",
        ) from error
    by_name = {one.name.normalized: one for one in records}
    ordered = rattler.PackageRecord.sort_topologically(list(records))
    packages = tuple(_locked(by_name[one.name.normalized], sources) for one in ordered)
    return CondaSolution(
        packages,
        frozenset(
            one.name.normalized for one in records if any(re.match(r"python(\s|$)", need) for need in one.depends)
        ),
        next((str(one.version) for one in records if one.name.normalized == "python"), None),
        sum(one.size or 0 for one in records),
    )


def _sources(channels: Sequence[str], mirror: Mirror | None) -> dict[str, str]:
    """Return for each address that is read the channel's own one, the first wins."""
    found: dict[str, str] = {}
    for channel in channels:
        for own in own_urls(channel):
            found.setdefault(served_from(own, mirror)[0], own)
    return found


async def _solve(
    rattler: Any, specs: list[Any], sources: tuple[str, ...], machine: Machine, kept: Sequence[LockedPackage]
) -> list[Any]:
    virtual = [
        rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build))
        for name, version, build in machine.virtual_packages()
    ]
    gateway = rattler.Gateway(cache_dir=cache_folder() / "repodata")
    channels = [rattler.Channel(one) for one in sources]
    platforms = [machine.platform, "noarch"]
    locked = []
    if kept:
        names = [rattler.MatchSpec(f"{one.name}=={one.version}={one.build}") for one in kept]
        wanted = {one.file_name for one in kept}
        for found in await gateway.query(channels, platforms, names, recursive=False):
            locked += [one for one in found if one.file_name in wanted]
    records: list[Any] = await rattler.solve(
        channels,
        specs,
        gateway=gateway,
        platforms=platforms,
        locked_packages=locked,
        virtual_packages=virtual,
        # conda's own default: a channel of less priority serves what the others do not have.
        channel_priority=rattler.ChannelPriority.Flexible,
    )
    return records


def cache_folder() -> Path:
    """Return where indexes are kept between two runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "provision"


def _locked(record: Any, sources: dict[str, str]) -> LockedPackage:
    url = str(record.url)
    own = next((own for served, own in sources.items() if url.startswith(f"{served}/")), None)
    if own is None or record.sha256 is None:
        what = "has no sha256 in its channel's index" if own is not None else "comes from a channel that nobody named"
        raise StepFailedError(f"{record.file_name} {what}: it cannot be locked", hint="leave its channel out")
    return LockedPackage(
        record.name.normalized,
        str(record.version),
        str(record.build),
        own,
        record.subdir,
        unquote(urlsplit(url).path.rsplit("/", 1)[-1]),
        record.sha256.hex(),
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
