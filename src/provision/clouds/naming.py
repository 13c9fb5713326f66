"""Instances become hosts of the inventory: named, addressed, put into groups, and judged against their type's GPUs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.inventory.cloud_source import FIELD
from provision.model.host import Expect, Provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provision.clouds.instance import Instance
    from provision.clouds.query import Query

_LONGEST = 253


@dataclass(frozen=True, slots=True)
class CloudHost:
    """An instance as a host of the inventory."""

    name: str
    address: str
    """Empty where it has none now, as a stopped one."""
    user: str | None
    likely_user: str | None
    """Login name that its image is known for."""
    jump: tuple[str, ...]
    group: str | None
    provider: Provider
    expect: Expect
    instance: Instance


def hosts(
    query: Query, instances: Iterable[Instance], stale: Mapping[str, float] | None = None
) -> tuple[CloudHost, ...]:
    """Return the hosts of one answer; those without a name of their own are called by their id.

    Args:
        query: The question.
        instances: What it brought.
        stale: Regions that did not answer, and when they last did.

    Raises:
        UsageError: two instances would have one name; it names both.
    """
    made = [_host(query, one, stale or {}) for one in instances if one.state != "gone"]
    seen: dict[str, CloudHost] = {}
    for one in made:
        other = seen.setdefault(one.name, one)
        if other is not one:
            raise UsageError(
                f"two hosts would be called '{one.name}': {other.instance.label} and {one.instance.label}",
                hint="name: '{name}-{id}' in the source makes names differ",
            )
    return tuple(made)


def _host(query: Query, one: Instance, stale: Mapping[str, float]) -> CloudHost:
    return CloudHost(
        name=_name(query.name, one),
        address=one.address(query.address),
        user=query.user,
        likely_user=one.user or None,
        jump=query.jump,
        group=query.group,
        provider=Provider(
            one.cloud,
            one.region,
            one.id,
            zone=one.zone or None,
            type=one.type or None,
            state=one.state,
            spot=one.spot,
            created=one.created or None,
            billed_when_stopped=one.billed_when_stopped,
            project=query.project,
            profile=query.profile,
            endpoint=query.endpoint,
            as_of=stale.get(one.region, stale.get(query.project or "")),
        ),
        expect=Expect(gpus=one.gpus or None),
        instance=one,
    )


def _name(template: str, one: Instance) -> str:
    tags = dict(one.tags)
    if template == "name":
        text = one.name
    elif template == "id":
        text = one.id
    elif template.startswith("tag:"):
        text = tags.get(template.removeprefix("tag:"), "")
    else:
        values = {"name": one.name, "id": one.id, "region": one.region, "zone": one.zone, "type": one.type}
        text = FIELD.sub(lambda found: tags.get(found["key"], "") if found["key"] else values[found["field"]], template)
    # What a cloud calls it may be any text: a host's name is a word of the command line, and a file's name too.
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:_LONGEST]
    return plain or one.id
