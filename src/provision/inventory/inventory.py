"""The inventory: names, groups, and the settings of each host resolved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision.decode import Document, load, parse, printable
from provision.decode.near import suggestion
from provision.errors import UsageError
from provision.inventory import resolution
from provision.inventory.alias import AliasValues, split_hop
from provision.inventory.judgement import groups_by_host, judge, members
from provision.inventory.location import check_writers
from provision.inventory.mirrors import AUTO, SHIPPED, automatic
from provision.inventory.schema import GroupEntry, HostEntry, InventoryFile, Settings
from provision.inventory.selection import select
from provision.model.host import Host, Mirror, Provider

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Inventory:
    """The hosts of one hosts.yaml, or none at all."""

    path: Path | None
    file: InventoryFile
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Hosts of each group, in the file's order."""
    groups_by_host: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Likewise turned round."""
    providers: dict[str, Provider] = field(default_factory=dict)
    """What clouds say of the hosts that they know."""
    fallbacks: dict[str, Settings] = field(default_factory=dict)
    """Settings that clouds suggest; whatever the file says goes before them."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of all hosts, in the file's order."""
        return tuple(self.file.hosts)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups, in the file's order."""
        return tuple(self.members)

    @property
    def default(self) -> str | None:
        """The host that is meant where none is named."""
        return self.file.default

    @property
    def has_sources(self) -> bool:
        """Whether cloud queries stand in the file."""
        return bool(self.file.sources)

    def alias_of(self, name: str) -> str | None:
        """Return the ssh_config alias that a host is resolved through."""
        return self._entry(name).ssh

    def groups_of(self, name: str) -> tuple[str, ...]:
        """Return the groups that a host is in, in the file's order."""
        return self.groups_by_host.get(name, ())

    def select(self, patterns: Sequence[str], project_default: str | None = None) -> tuple[str, ...]:
        """Return the hosts that names, groups, globs, ``all`` and ``!exclusions`` mean; see `select`.

        Raises:
            UsageError: a word that means no host, or no word and no default among several hosts.
        """
        return select(patterns, self.hosts, self.members, project_default or self.default, self._named)

    def resolve(self, name: str, alias: AliasValues | None = None) -> Host:
        """Return the host with every setting resolved: host > ssh alias > later groups > defaults.

        Raises:
            UsageError: no such host.
        """
        entry = self._entry(name)
        groups = self.groups_of(name)
        grouped = [self.file.groups[one] for one in reversed(groups)]
        levels: list[Settings] = [
            entry,
            *(one for one in grouped if isinstance(one, GroupEntry)),
            self.file.defaults,
            *((self.fallbacks[name],) if name in self.fallbacks else ()),
        ]
        jump, proxy_command = resolution.way(levels, alias)
        key = resolution.first(levels, "identity_file", next(iter(alias.identity_files), None) if alias else None)
        provider = entry.provider
        mirror = self.mirror(resolution.first(levels, "mirrors"))
        return Host(
            name=name,
            address=entry.address or (alias.hostname if alias else None) or entry.ssh or name,
            port=resolution.first(levels, "port", alias.port if alias else None) or 22,
            user=resolution.first(levels, "user", alias.user if alias else None),
            identity_file=None if key is None else self._local(key),
            ssh=entry.ssh,
            jump=jump,
            proxy_command=proxy_command,
            host_key=entry.host_key,
            provider=self.providers.get(name)
            or (None if provider is None else Provider(provider.cloud, provider.region, provider.instance)),
            expect=resolution.expect(levels),
            state_dir=resolution.first(levels, "state_dir") or "~/.provision",
            workdir=resolution.first(levels, "workdir") or "~/work",
            playbook=resolution.first(levels, "playbook") or "gpu",
            mirror=mirror,
            offline=bool(resolution.first(levels, "offline")),
            env=resolution.with_hub(resolution.env(levels), mirror),
            groups=groups,
            notes=alias.notes if alias else (),
        )

    def resolve_hop(self, hop: str, alias: AliasValues | None = None) -> Host:
        """Return a jump host: one of the inventory, or else the ssh_config alias (or address) of that name.

        ``hop`` may be ``user@name:port``, as ssh_config writes it; ``alias`` is what ssh_config says of `hop_name`.
        """
        user, name, port = split_hop(hop)
        if name in self.file.hosts:
            host = self.resolve(name, alias)
            return replace(host, user=user or host.user, port=port or host.port)
        alias = alias or AliasValues()
        return Host(
            name=name,
            address=alias.hostname or name,
            port=port or alias.port or 22,
            user=user or alias.user,
            identity_file=self._local(alias.identity_files[0]) if alias.identity_files else None,
            ssh=name,
            jump=alias.proxy_jump,
            proxy_command=alias.proxy_command,
            notes=alias.notes,
        )

    def mirror(self, name: str | None) -> Mirror | None:
        """Return a mirror profile by name, the file's own before the shipped ones."""
        if name is None or name == "none":
            return None
        if name == AUTO:
            return automatic(resolution.own_mirror(one, entry) for one, entry in self.file.mirrors.items())
        own = self.file.mirrors.get(name)
        return SHIPPED.get(name) if own is None else resolution.own_mirror(name, own)

    @property
    def _named(self) -> str:
        return "the inventory" if self.path is None else self.path.name

    def _entry(self, name: str) -> HostEntry:
        entry = self.file.hosts.get(name)
        if entry is None:
            raise UsageError(f"{self._named} has no host '{printable(name)}'{suggestion(name, self.hosts)}")
        return entry

    def _local(self, path: str) -> str:
        """Return a path on this machine: ``~`` expanded, relative ones seen from the inventory's folder."""
        expanded = Path(path).expanduser()
        folder = Path.cwd() if self.path is None else self.path.parent
        return str(expanded if expanded.is_absolute() else folder / expanded)


EMPTY = Inventory(path=None, file=InventoryFile(version=1))
"""The inventory of somebody who has none."""


def load_inventory(path: Path) -> Inventory:
    """Return the inventory in a file.

    Raises:
        BadFileError: the file cannot be taken, or others can write it.
    """
    check_writers(path)
    return _inventory(load(path), path)


def parse_inventory(text: str | bytes, source: str = "hosts.yaml", path: Path | None = None) -> Inventory:
    """Return the inventory that a text holds; ``source`` names it in errors.

    Raises:
        BadFileError: the text cannot be taken.
    """
    return _inventory(parse(text, source), path)


def _inventory(document: Document, path: Path | None) -> Inventory:
    file = document.decode(InventoryFile)
    judge(document, file)
    document.check()
    hosts_of = members(file)
    return Inventory(path, file, hosts_of, groups_by_host(hosts_of))
