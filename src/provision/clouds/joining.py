"""The hosts that clouds know join those that the file lists: one machine is one host, whatever its address became."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.clouds.query import Query
from provision.errors import UsageError
from provision.inventory.cloud_source import GcpSource
from provision.inventory.inventory import Inventory
from provision.inventory.judgement import groups_by_host, members
from provision.inventory.schema import ExpectEntry, GroupEntry, HostEntry, ProviderEntry, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.clouds.naming import CloudHost
    from provision.inventory.cloud_source import AliyunSource, AwsSource
    from provision.model.host import Provider


def query_of(source: AwsSource | GcpSource | AliyunSource) -> Query:
    """Return the question that a source of the file asks."""
    common = Query(
        cloud=source.cloud,
        tags=tuple(sorted(source.tags.items())),
        names=source.names,
        address=source.address,
        user=source.user,
        jump=source.jump if isinstance(source.jump, tuple) else (),
        group=source.group,
        name=source.name,
        endpoint=source.endpoint,
    )
    if source.states:
        common = replace(common, states=source.states)
    if isinstance(source, GcpSource):
        labels = tuple(sorted({**source.tags, **source.labels}.items()))
        return replace(common, project=source.project, zones=source.zones, tags=labels)
    return replace(common, regions=source.regions, profile=source.profile)


def joined(inventory: Inventory, found: Iterable[CloudHost]) -> Inventory:
    """Return the inventory with the hosts that clouds know.

    A host of the file whose `provider.instance` a cloud knows stays one host, and gets the address that it has now.

    Raises:
        UsageError: a host of the file, or of another source, has the name already; it names both.
    """
    hosts = dict(inventory.file.hosts)
    providers: dict[str, Provider] = {}
    fallbacks: dict[str, Settings] = {}
    grouped: dict[str, list[str]] = {}
    by_instance: dict[tuple[str, str | None], str] = {
        (entry.provider.cloud, entry.provider.instance): name
        for name, entry in hosts.items()
        if entry.provider is not None and entry.provider.instance is not None
    }
    names = {name.casefold(): name for name in (*hosts, *inventory.file.groups)}
    owners: dict[str, CloudHost] = {}
    for one in found:
        identity = (one.provider.cloud, one.provider.instance)
        known = by_instance.get(identity)
        if known is None:
            _check_name(one, names, owners)
            names[one.name.casefold()] = one.name
            owners[one.name] = one
            by_instance[identity] = one.name
            hosts[one.name] = _entry(one)
        elif known not in owners:
            entry = hosts[known]
            hosts[known] = entry if entry.ssh is not None or not one.address else replace(entry, address=one.address)
        name = known or one.name
        providers[name] = one.provider
        fallbacks[name] = Settings(user=one.likely_user, expect=ExpectEntry(gpus=one.expect.gpus))
        if one.group is not None:
            grouped.setdefault(one.group, []).append(name)
    file = replace(inventory.file, hosts=hosts, groups=_groups(inventory, grouped))
    hosts_of = members(file)
    return Inventory(inventory.path, file, hosts_of, groups_by_host(hosts_of), providers, fallbacks)


def _check_name(one: CloudHost, names: dict[str, str], owners: dict[str, CloudHost]) -> None:
    taken = names.get(one.name.casefold())
    if taken is None:
        if one.name.casefold() not in {"all", "none"}:
            return
        taken = one.name
    other = owners[taken].instance.label if taken in owners else f"'{taken}' of the inventory"
    raise UsageError(
        f"two hosts would be called '{one.name}': {other} and {one.instance.label}",
        hint="name: '{name}-{id}' in the source makes names differ; "
        "provider: {cloud: ..., instance: ...} says that a host of the file is this machine",
    )


def _entry(one: CloudHost) -> HostEntry:
    return HostEntry(
        user=one.user,
        jump=one.jump or None,
        # One that is stopped may have no address; it is told as stopped before anybody connects.
        address=one.address or one.name,
        provider=ProviderEntry(one.provider.cloud, one.provider.region, one.provider.instance),
    )


def _groups(inventory: Inventory, grouped: dict[str, list[str]]) -> dict[str, tuple[str, ...] | GroupEntry]:
    groups = dict(inventory.file.groups)
    for group, names in grouped.items():
        entry = groups.get(group, ())
        if isinstance(entry, GroupEntry):
            groups[group] = replace(entry, hosts=(*entry.hosts, *names))
        else:
            groups[group] = (*entry, *names)
    return groups
