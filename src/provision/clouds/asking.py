"""Asks clouds which hosts there are: all regions at once, what is fresh from the cache, what fails named."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from provision.clouds.failing import CloudError
from provision.clouds.kept import Answer, Kept
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from provision.clouds.instance import Instance
    from provision.clouds.query import Query

FRESH = 300.0
"""Seconds for which an answer is used without asking again."""
AT_ONCE = 16
"""Regions that are asked at once."""


class Cloud(Protocol):
    """One cloud, by the credentials of this machine."""

    def regions(self) -> tuple[str, ...]:
        """Return the regions to ask."""
        ...

    def instances(self, region: str) -> Iterator[tuple[Instance, ...]]:
        """Yield the pages of a region's instances."""
        ...

    def one(self, region: str, instance: str) -> Instance | None:
        """Return how an instance stands now."""
        ...

    def console(self, region: str, instance: str) -> str:
        """Return what its serial console printed."""
        ...

    def ends_when_shut_down(self, region: str, instance: str) -> bool:
        """Return whether the machine is terminated by a shutdown of its own."""

    def guest_host_keys(self, region: str, instance: str) -> tuple[tuple[str, str], ...]:
        """Return type and base64 of the host keys that the guest wrote into the cloud's own records, if it has such."""

    def start(self, region: str, instance: str) -> None:
        """Start it."""
        ...

    def stop(self, region: str, instance: str) -> None:
        """Stop it."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What one question brought."""

    query: Query
    instances: tuple[Instance, ...] = ()
    stale: Mapping[str, float] = field(default_factory=dict)
    """Regions whose instances are those of an earlier answer, and its time."""
    failed: Mapping[str, CloudError] = field(default_factory=dict)
    """Regions that did not answer, or not whole."""


def open_cloud(query: Query) -> Cloud:
    """Return the cloud that a question is for.

    Raises:
        UsageError: its libraries are not installed, or something is not named that it needs.
        CloudError: there are no credentials.
    """
    # Imported here: each takes a good part of a second, and most people use one.
    if query.cloud == "aws":
        from provision.clouds.aws import Ec2

        return Ec2(query)
    if query.cloud == "gcp":
        from provision.clouds.gcp import ComputeEngine

        return ComputeEngine(query)
    from provision.clouds.aliyun import Ecs

    return Ecs(query)


def ask(
    queries: Sequence[Query],
    environ: Mapping[str, str],
    *,
    refresh: bool = False,
    offline: bool = False,
    opening: Callable[[Query], Cloud] = open_cloud,
    now: Callable[[], float] = time.time,
) -> tuple[Found, ...]:
    """Return what every question brings, in order.

    Args:
        queries: The questions.
        environ: Where the cache is.
        refresh: Ask, however fresh what is kept may be.
        offline: Ask nobody: what is kept is used, however old.
        opening: Opens a cloud.
        now: Seconds since the epoch.

    Raises:
        UsageError: a library is missing, or something is not named that a cloud needs.
    """
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="cloud") as pool:
        asked = [pool.submit(_ask_one, one, Kept(environ, one), refresh, offline, opening, now) for one in queries]
        return tuple(one.result() for one in asked)


def _ask_one(  # noqa: PLR0917 - the parts of one question
    query: Query,
    kept: Kept,
    refresh: bool,
    offline: bool,
    opening: Callable[[Query], Cloud],
    now: Callable[[], float],
) -> Found:
    before = {one.region: one for one in kept.read()}
    times = {region: one.at for region, one in before.items()}
    everything = tuple(held for one in before.values() for held in one.instances)
    if offline:
        unknown = CloudError("nothing is known of it yet", hint="ask once without --offline")
        return Found(query, everything, times, {} if before else {query.label: unknown})
    # A clock that was set back makes nothing fresh for ever.
    if before and not refresh and all(0 <= now() - at < FRESH for at in times.values()):
        return Found(query, everything)
    try:
        cloud = opening(query)
        regions = cloud.regions()
    except CloudError as error:
        return Found(query, everything, times, {query.label: error})
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="region") as pool:
        asked = {region: pool.submit(_region, cloud, region) for region in regions}
    instances: list[Instance] = []
    stale: dict[str, float] = {}
    failed: dict[str, CloudError] = {}
    keeping: list[Answer] = []
    for region, one in asked.items():
        held, failure = one.result()
        if failure is None:
            keeping.append(Answer(region, now(), held))
        else:
            failed[region] = failure
            if region in before:
                stale[region] = before[region].at
                known = {one.id for one in held}
                held = (*held, *(one for one in before[region].instances if one.id not in known))
                keeping.append(Answer(region, before[region].at, held))
        instances.extend(held)
    kept.write(keeping)
    return Found(query, tuple(instances), stale, failed)


def _region(cloud: Cloud, region: str) -> tuple[tuple[Instance, ...], CloudError | None]:
    """Return what a region has; after a failure in the middle, what it had said until then."""
    held: list[Instance] = []
    try:
        for page in cloud.instances(region):
            held.extend(page)
    except CloudError as error:
        return tuple(held), error
    except ProvisionError:
        raise
    except Exception as error:  # noqa: BLE001 - a region's malformed answer must not cost the other regions
        # By its type alone: the libraries' texts may hold what was sent.
        return tuple(held), CloudError(f"{region} answered what provision cannot read: {type(error).__name__}")
    return tuple(held), None
