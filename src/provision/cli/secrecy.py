"""What no log and no notes of a run may hold."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.host import Host

SHORTEST_SECRET = 6
"""A shorter value, such as a port or "true", would blot out half of a log."""


def secrets_of(hosts: Iterable[Host]) -> tuple[str, ...]:
    """Return the values of the hosts' variables, and the password for logins."""
    values = [value for host in hosts for _, value in host.env if len(value) >= SHORTEST_SECRET]
    password = os.environ.get("PROVISION_SSH_PASSWORD")
    return tuple(dict.fromkeys([*values, *([password] if password else [])]))
