"""The `sources` of hosts.yaml: questions to clouds, and how what they find is called."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

from provision.decode import Rule, printable
from provision.decode.checks import NAME, ONE_LINE, URL, WORD
from provision.inventory import fields as rule

FIELD = re.compile(r"\{(?P<field>[a-z]+)(?::(?P<key>[^{}]+))?\}")
"""A field of a template for names: ``{name}``, ``{tag:Team}``."""
_FIELDS = ("name", "id", "region", "zone", "type", "tag")
_STATES = Literal["running", "starting", "stopping", "stopped"]


def naming(value: str) -> str:
    """Return how hosts are to be called; raises `ValueError`."""
    if value in {"name", "id"} or (value.startswith("tag:") and len(value) > len("tag:")):
        return value
    shown = printable(value)
    found = list(FIELD.finditer(value))
    wrong = next((one["field"] for one in found if one["field"] not in _FIELDS), None)
    if wrong is not None:
        raise ValueError(f"'{shown}' has a field '{wrong}', expected {', '.join(_FIELDS[:-1])} or tag:KEY")
    if any((one["field"] == "tag") != bool(one["key"]) for one in found):
        raise ValueError(f"'{shown}', expected a tag as {{tag:KEY}}")
    if not found or "{" in (rest := FIELD.sub("", value)) or "}" in rest:
        raise ValueError(f"'{shown}', expected name, id, tag:KEY or a template such as '{{name}}-{{region}}'")
    return value


NAMING = Rule(naming)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What every cloud can be asked."""

    tags: Annotated[dict[str, str], "tags or labels that a machine must have; '*': any value"] = field(
        default_factory=dict
    )
    names: Annotated[tuple[Annotated[str, ONE_LINE], ...], "names or patterns, one of which the machine's must be"] = ()
    states: Annotated[tuple[_STATES, ...], "states of machines to list; none: all but those that are gone"] = ()
    address: Annotated[Literal["public", "private", "auto"], "which address; auto: public, else private"] = "public"
    user: Annotated[
        str | None, rule.USER, "login name; none: the settings' one, else the one its image is known for"
    ] = None
    jump: Annotated[str | tuple[str, ...] | None, rule.HOPS, "jump hosts to what is found"] = None
    group: Annotated[str | None, NAME, "group that it is put in"] = None
    name: Annotated[str, NAMING, "what it is called: name, id, tag:KEY, or a template such as '{name}-{region}'"] = (
        "name"
    )
    endpoint: Annotated[str | None, URL, "another address of the cloud's API, such as a private one"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSource(Source):
    """Hosts that EC2 knows."""

    cloud: Literal["aws"]
    regions: Annotated[tuple[Annotated[str, WORD], ...], "regions; none: the profile's or AWS_REGION"] = ()
    profile: Annotated[str | None, WORD, "profile of the AWS configuration"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpSource(Source):
    """Hosts that Compute Engine knows."""

    cloud: Literal["gcp"]
    project: Annotated[str | None, WORD, "project; none: GOOGLE_CLOUD_PROJECT, else the credentials' one"] = None
    zones: Annotated[tuple[Annotated[str, WORD], ...], "zones; none: all"] = ()
    labels: Annotated[dict[str, str], "the same as tags, in Google's word"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AliyunSource(Source):
    """Hosts that ECS knows."""

    cloud: Literal["aliyun"]
    regions: Annotated[
        tuple[Annotated[str, WORD], ...], "regions; none: ALIBABA_CLOUD_REGION_ID, else all of them"
    ] = ()
    profile: Annotated[str | None, WORD, "profile of the aliyun command's configuration"] = None
