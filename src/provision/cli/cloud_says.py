"""What a machine's cloud says of it: its host keys before the first login, and whether it still stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.clouds.failing import CloudError
from provision.clouds.host_keys import of_keys, on_console
from provision.clouds.power import Machine
from provision.errors import UsageError

if TYPE_CHECKING:
    from provision.model.host import Host


def shown_by_cloud(host: Host) -> frozenset[str]:
    """Return the fingerprints that the cloud shows; none where it shows nothing, or does not answer.

    A cloud that cannot be asked is no reason to refuse a machine: it is met as any other one then.
    """
    try:
        machine = Machine(host)
        written = machine.written_keys()
        return of_keys(written) or on_console(machine.console())
    except (CloudError, UsageError):
        return frozenset()


def state_at_cloud(host: Host) -> str | None:
    """Return a machine's state as its cloud says now; None where it does not answer."""
    try:
        return Machine(host).state()
    except (CloudError, UsageError):
        return None
