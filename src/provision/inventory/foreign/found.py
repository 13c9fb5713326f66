"""What a foreign file says of hosts, before it becomes entries of hosts.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.errors import BadFileError, UsageError
from provision.inventory import fields as rule
from provision.inventory.alias import split_hop
from provision.inventory.schema import HostEntry

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Found:
    """Hosts and groups of one file, and what of it has no place here."""

    source: str
    """How messages name the file."""
    hosts: dict[str, HostEntry] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """A line each: what was not taken over, and why."""

    def add(self, name: str, values: dict[str, Any], group: str | None = None) -> None:
        """Take a host over; one that was there already gets what is new of it, and the group.

        Raises:
            BadFileError: a value cannot be one of hosts.yaml.
        """
        kept = plain_name(name)
        if isinstance(values.get("jump"), str):
            values = {**values, "jump": tuple(self._hop(one.strip()) for one in values["jump"].split(","))}
        entry = _entry(self.source, name, values)
        before = self.hosts.get(kept)
        if before is not None and before != entry and values:
            self.left_out.append(f"{kept}: listed a second time with other values; the first ones count")
        elif before is None:
            self.hosts[kept] = entry
        if group is not None:
            members = self.groups.setdefault(plain_name(group), [])
            if kept not in members:
                members.append(kept)

    def _hop(self, hop: str) -> str:
        """Return the name of a jump host; one that is more than a name, ``user@address:port``, becomes a host."""
        user, address, port = split_hop(hop)
        if not address:
            raise BadFileError(f"{self.source}: '{hop[:60]}' is no jump host, expected [user@]address[:port]")
        if user is None and port is None and "." not in address and ":" not in address:
            return address
        name = next((one for one, entry in self.hosts.items() if entry.address == address and not entry.jump), None)
        if name is None:
            name = plain_name(f"jump-{address}")
            self.add(name, {"address": address, "user": user, "port": port})
        return name


def plain_name(text: str) -> str:
    """Return a name that a host can have: other letters become ``-``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "host"


def _entry(source: str, name: str, values: dict[str, Any]) -> HostEntry:
    checks: dict[str, Callable[[Any], Any]] = {
        "ssh": str,
        "address": rule.address,
        "port": lambda value: rule.port(int(value)),
        "user": rule.user,
        "identity_file": rule.identity_file,
        "jump": rule.hops,
        "proxy_command": rule.command,
    }
    taken: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            continue
        try:
            taken[key] = checks[key](value)
        except (TypeError, ValueError, OverflowError) as error:
            raise BadFileError(f"{source}: {name}: {key}: {error}") from None
    return HostEntry(**taken)


def mapping(value: object, source: str, what: str) -> dict[Any, Any]:
    """Return a mapping, an empty one for nothing.

    Raises:
        BadFileError: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadFileError(f"{source}: {what}: expected a mapping")
    return {text(key): one for key, one in value.items()}


def listed(value: object, source: str, what: str) -> list[Any]:
    """Return a list, an empty one for nothing.

    Raises:
        BadFileError: it is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadFileError(f"{source}: {what}: expected a list")
    return value


def unknown(source: str) -> UsageError:
    """Return the error of a file of no format that is known."""
    return UsageError(
        f"{source} is no inventory that provision knows",
        hint="--format says which it is: ansible, skypilot, ray, dstack or ssh_config",
    )


def text(value: object) -> str:
    """Return a single value as text; a list or a mapping, which may be endless by its aliases, is an empty one."""
    return str(value) if isinstance(value, (str, int, float)) else ""
