"""What is installed against its lock: all of it, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from provision.environment.channels import shown
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.environment.listing import Listing
    from provision.environment.lock import Lock

_SHOWN = 8


def with_channels(listing: Listing, lock: Lock) -> Listing:
    """Return the listing with the channels that the packages really are from: they came by way of the host's folder."""
    own = {(one.name, one.version, one.build): shown(one.channel) for one in lock.conda}
    return replace(
        listing,
        conda=tuple(
            replace(one, channel=own.get((one.name, one.version, one.build), one.channel)) for one in listing.conda
        ),
    )


def judge_locked(listing: Listing, lock: Lock) -> tuple[Finding, ...]:
    """Return what is installed otherwise than the lock says; nothing where all is as it says."""
    lines = list(_differences(listing, lock))
    if not lines:
        return ()
    text = "; ".join(lines[:_SHOWN]) + (f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else "")
    return (
        Finding(
            "ENV-LOCK-UNMET",
            Severity.ERROR,
            f"what is installed is not what {lock.source} says: {text}",
            "`provision up` builds it anew; if that does not help, lock again: provision env lock",
        ),
    )


def _differences(listing: Listing, lock: Lock) -> Iterator[str]:
    wanted = {one.name: f"{one.version} {one.build}" for one in lock.conda}
    there = {one.name: f"{one.version} {one.build}" for one in listing.conda}
    for name in sorted(wanted.keys() | there.keys()):
        if wanted.get(name) != there.get(name):
            yield f"{name}: {there.get(name, 'absent')} instead of {wanted.get(name, 'nothing')}"
    installed = {canonicalize_name(one.name): one.version for one in listing.pip}
    for wheel in lock.pip:
        version = installed.get(canonicalize_name(wheel.name))
        if version is None or (wheel.version and version != wheel.version):
            yield f"{wheel.name} (pip): {version or 'absent'} instead of {wheel.version or wheel.url}"
