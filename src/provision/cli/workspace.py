"""What a command works with: the inventory, the project and the way to each host."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from provision.errors import UsageError
from provision.inventory import find_inventory, hop_name, load_inventory
from provision.project import find_root, load_project
from provision.ssh.route import Hop, Route, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.cli.asking import Asking
    from provision.inventory.alias import AliasValues
    from provision.inventory.inventory import Inventory
    from provision.model.host import Host
    from provision.project import Project

MAX_HOPS = 8


@dataclass
class Workspace:
    """The inventory and project that the working folder belongs to."""

    inventory: Inventory
    project: Project
    aliases: dict[str, AliasValues] = field(default_factory=dict)

    @classmethod
    def open(cls, inventory: str | None, *, refresh: bool = False, offline: bool = False) -> Workspace:
        """Find and read hosts.yaml and provision.yaml; clouds that it names are asked, or what is kept of them read.

        Args:
            inventory: The file that the user named.
            refresh: Ask clouds, however fresh what is kept of them may be.
            offline: Ask no cloud: what is kept is used, however old.

        Raises:
            UsageError: there is no hosts.yaml, or a file cannot be taken.
        """
        here = Path.cwd()
        path = find_inventory(here, inventory, os.environ, find_root(here))
        if path is None:
            raise UsageError(
                "there is no hosts.yaml here, in a parent folder of the project, or in the configuration folder",
                hint="provision init    writes one; or give one with -i FILE",
            )
        loaded = load_inventory(path)
        if loaded.has_sources:
            # Imported here: most inventories name no cloud.
            from provision.cli.cloud_hosts import with_clouds

            loaded = with_clouds(loaded, refresh=refresh, offline=offline)
        return cls(loaded, load_project(here))

    def select(self, patterns: Sequence[str]) -> tuple[Host, ...]:
        """Return the hosts that the words of a command line mean, resolved."""
        return tuple(self.host(name) for name in self.inventory.select(patterns, self.project.default))

    def host(self, name: str) -> Host:
        """Return one host with every setting resolved, its login name included."""
        alias = self.inventory.alias_of(name)
        values = self._alias(alias) if alias else None
        host = self.inventory.resolve(name, values)
        return host if host.user else replace(host, user=_local_user())

    def any_host(self, name: str) -> Host:
        """Return a host of the inventory, or a jump host that one of them goes through.

        Raises:
            UsageError: nothing has that name.
        """
        if name in self.inventory.hosts:
            return self.host(name)
        passed = (hop.host for one in self.inventory.hosts for hop in self.route(self.host(one)).hops)
        return next((host for host in passed if host.name == name), None) or self.host(name)

    def route(self, host: Host) -> Route:
        """Return the hops to a host, jump hosts before jump hosts included.

        Raises:
            UsageError: the jump hosts form a circle.
        """
        return Route(tuple(self._hops(host, self._alias(host.ssh) if host.ssh else None, ())))

    def _hops(self, host: Host, alias: AliasValues | None, passed: tuple[str, ...]) -> list[Hop]:
        if host.name in passed or len(passed) > MAX_HOPS:
            way = " -> ".join((*reversed(passed), host.name))
            raise UsageError(f"the jump hosts lead in a circle, or are too many: {way}")
        hops: list[Hop] = []
        for name in host.jump:
            hop_alias = self._hop_alias(name)
            hop = self.inventory.resolve_hop(name, hop_alias)
            hops.extend(self._hops(hop, hop_alias, (*passed, host.name)))
        user = host.user or _local_user()
        return [*hops, Hop(host, user, alias) if alias else Hop(host, user)]

    def _hop_alias(self, way: str) -> AliasValues | None:
        name = hop_name(way)
        if name not in self.inventory.hosts:
            return self._alias(name)
        alias = self.inventory.alias_of(name)
        return self._alias(alias) if alias else None

    def _alias(self, name: str) -> AliasValues:
        if name not in self.aliases:
            # Imported here: most inventories have no alias.
            from provision.ssh.alias import resolve

            self.aliases[name] = resolve(name)
        return self.aliases[name]


def settings(host_keys: Literal["accept-new", "strict"]) -> Settings:
    """Return how to connect, with questions only where somebody can answer them."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Settings(host_keys, vouch=_shown_by_cloud, stands=_state_at_cloud)
    return Settings(host_keys, ask_passphrase=_ask, ask_password=_ask, vouch=_shown_by_cloud, stands=_state_at_cloud)


def _shown_by_cloud(host: Host) -> frozenset[str]:
    # Imported here: only the first contact with a rented machine asks.
    from provision.cli.cloud_says import shown_by_cloud

    return shown_by_cloud(host)


def _state_at_cloud(host: Host) -> str | None:
    # Imported here: only a lost link asks.
    from provision.cli.cloud_says import state_at_cloud

    return state_at_cloud(host)


def through(asking: Asking, how: Settings) -> Settings:
    """Return the settings with their questions asked one at a time, and ended when the run is stopped."""
    if how.ask_passphrase is None or how.ask_password is None:
        return how
    return replace(
        how,
        ask_passphrase=asking.through(how.ask_passphrase),
        ask_password=asking.through(how.ask_password),
    )


def _ask(prompt: str) -> str | None:
    try:
        return getpass.getpass(prompt if prompt.endswith(" ") else f"{prompt}: ") or None
    except EOFError:
        return None


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise UsageError("this machine does not know your login name", hint="give `user:` in hosts.yaml") from error
