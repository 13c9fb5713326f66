"""Starts and stops rented machines, and waits until their cloud says that it is so; nothing is ever terminated."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provision.clouds.asking import open_cloud
from provision.clouds.failing import CloudError
from provision.clouds.query import Query
from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.clouds.asking import Cloud
    from provision.clouds.instance import Instance
    from provision.model.host import Host, Provider

CLOUDS = ("aws", "gcp", "aliyun")
LONGEST = 900.0
"""Seconds after which we stop waiting; the cloud goes on by itself."""
BETWEEN = 3.0
"""Seconds between two looks."""


class Machine:
    """One rented machine, by the cloud that it is of."""

    def __init__(
        self,
        host: Host,
        *,
        opening: Callable[[Query], Cloud] = open_cloud,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Find out which machine it is.

        Raises:
            UsageError: the inventory does not say, or a library is missing.
            CloudError: there are no credentials.
        """
        provider = host.provider
        if provider is None or provider.cloud not in CLOUDS or not provider.instance:
            raise UsageError(
                f"{host.name} is no machine of a cloud that provision knows: nothing can be started or stopped",
                hint="name its instance in hosts.yaml: provider: {cloud: aws, region: us-east-1, instance: i-...}",
            )
        place = (provider.zone or provider.region) if provider.cloud == "gcp" else provider.region
        if not place:
            raise UsageError(f"{host.name}: hosts.yaml does not say in which region its instance is")
        self.host = host
        self._place = place
        self._id = provider.instance
        self._cloud = opening(_query(provider, place))
        self._sleep = sleep
        self._clock = clock

    def look(self) -> Instance:
        """Return how it stands now.

        Raises:
            CloudError: its cloud does not answer, or does not know it any more.
        """
        found = self._cloud.one(self._place, self._id)
        if found is None or found.state == "gone":
            raise CloudError(f"{self.host.name} is gone: {self._place} knows no {self._id}")
        return found

    def state(self) -> str:
        """Return its state; ``gone`` where its cloud does not know it any more.

        Raises:
            CloudError: its cloud does not answer.
        """
        found = self._cloud.one(self._place, self._id)
        return "gone" if found is None else found.state

    def ends_when_shut_down(self) -> bool:
        """Whether a shutdown of its own terminates it.

        Raises:
            CloudError: its cloud does not say.
        """
        return self._cloud.ends_when_shut_down(self._place, self._id)

    def console(self) -> str:
        """Return what its serial console printed, as far as its cloud keeps it.

        Raises:
            CloudError: its cloud does not say.
        """
        return self._cloud.console(self._place, self._id)

    def written_keys(self) -> tuple[str, ...]:
        """Return the public host keys, in base64, that a guest agent wrote where its cloud keeps such."""
        return tuple(value for _, value in self._cloud.guest_host_keys(self._place, self._id))

    def start(self, far: Callable[[str], None]) -> Instance:
        """Start it and return how it stands then; nothing is done where it runs already.

        Raises:
            CloudError: its cloud refuses, as where it has no such machine free, or it does not come.
        """
        now = self.look()
        if now.state == "stopping":
            now = self._until("stopped", far)
        if now.state == "stopped":
            self._cloud.start(self._place, self._id)
        return self._until("running", far)

    def stop(self, far: Callable[[str], None]) -> Instance:
        """Stop it and return how it stands then; nothing is done where it is stopped already.

        Raises:
            CloudError: its cloud refuses, or it does not stop.
        """
        if self.look().state not in {"stopped", "stopping"}:
            self._cloud.stop(self._place, self._id)
        return self._until("stopped", far)

    def _until(self, state: str, far: Callable[[str], None]) -> Instance:
        end = self._clock() + LONGEST
        while True:
            now = self.look()
            if now.state == state:
                return now
            far(now.state)
            if self._clock() > end:
                raise CloudError(
                    f"{self.host.name} is still {now.state} after {LONGEST / 60:.0f} minutes",
                    hint="provision hosts --refresh shows how it stands; its cloud's console says why",
                )
            self._sleep(BETWEEN)


def _query(provider: Provider, place: str) -> Query:
    gcp = provider.cloud == "gcp"
    return Query(
        provider.cloud,
        regions=() if gcp else (place,),
        zones=(place,) if gcp else (),
        project=provider.project,
        profile=provider.profile,
        endpoint=provider.endpoint,
    )
