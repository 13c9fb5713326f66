"""Asks the clouds that hosts.yaml names, and says plainly which of them did not answer."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from provision.clouds.asking import ask
from provision.clouds.joining import joined, query_of
from provision.clouds.naming import hosts
from provision.report.display import one_line
from provision.report.duration import duration

if TYPE_CHECKING:
    from provision.clouds.asking import Found
    from provision.inventory.inventory import Inventory


def with_clouds(inventory: Inventory, *, refresh: bool = False, offline: bool = False) -> Inventory:
    """Return the inventory with the hosts that its sources find.

    Raises:
        UsageError: two hosts have one name; a cloud's library is missing.
        CloudError: no source answered, and nothing is known from earlier.
    """
    found = ask([query_of(one) for one in inventory.file.sources], os.environ, refresh=refresh, offline=offline)
    for one in found:
        _complain(one)
    if inventory.file.sources and not inventory.file.hosts and not any(one.instances for one in found):
        failures = [failure for one in found for failure in one.failed.values()]
        if failures:
            raise failures[0]
    return joined(inventory, [host for one in found for host in hosts(one.query, one.instances, one.stale)])


def _complain(found: Found) -> None:
    for place, failure in found.failed.items():
        shown = place if place == found.query.label else f"{found.query.cloud} {place}"
        print(one_line(f"{shown}: {failure.message}"), file=sys.stderr)
        if failure.hint:
            print(one_line(f"  {failure.hint}"), file=sys.stderr)
        old = [found.stale[place]] if place in found.stale else list(found.stale.values())
        if old:
            ago = duration(max(0.0, time.time() - min(old)))
            print(f"  its hosts are shown as they were {ago} ago", file=sys.stderr)
