"""What the user's ssh_config says of an alias."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AliasValues:
    """Values that ssh_config really sets for an alias; ``None`` or empty where it says nothing of its own."""

    hostname: str | None = None
    user: str | None = None
    port: int | None = None
    identity_files: tuple[str, ...] = ()
    proxy_jump: tuple[str, ...] = ()
    """Hops in order."""
    proxy_command: str | None = None
    host_key_alias: str | None = None
    """The name to look for in known_hosts instead of the address."""
    known_hosts_files: tuple[str, ...] = ()
    identities_only: bool = False
    unsupported: tuple[str, ...] = ()
    """Directives that are set and that we do not honour."""
    notes: tuple[str, ...] = ()
    """Lines to tell the user, such as directives that are not honoured."""


def split_hop(hop: str) -> tuple[str | None, str, int | None]:
    """Return login, name and port of a jump host as ssh_config writes it: ``[ssh://][user@]name[:port]``."""
    user, _, rest = hop.removeprefix("ssh://").rstrip("/").rpartition("@")
    name, colon, port = rest.rpartition(":")
    if not colon or not port.isdecimal() or (":" in name and not name.endswith("]")):
        name, port = rest, ""
    return user or None, name.strip("[]"), int(port) if port else None


def hop_name(hop: str) -> str:
    """Return the name by which the inventory or ssh_config knows a jump host."""
    return split_hop(hop)[1]
