"""What is asked of a cloud: one `sources` entry of hosts.yaml, whichever cloud it names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Query:
    """One question to one cloud."""

    cloud: str
    regions: tuple[str, ...] = ()
    """None: the profile's own region (AWS), or every region that the account has."""
    zones: tuple[str, ...] = ()
    project: str | None = None
    profile: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    """All of them must be there with that value; ``*`` takes any value."""
    names: tuple[str, ...] = ()
    """Globs, one of which the cloud's name must match; none: all."""
    states: tuple[str, ...] = ("running", "starting", "stopping", "stopped")
    address: str = "public"
    user: str | None = None
    jump: tuple[str, ...] = ()
    group: str | None = None
    name: str = "name"
    """How hosts are called: ``name``, ``id``, ``tag:KEY``, or a template such as ``{name}-{id}``."""
    endpoint: str | None = None
    """Another address of the API, such as a private endpoint of a company's network."""

    @property
    def label(self) -> str:
        """How lines name it: ``aws us-east-1, eu-west-1``."""
        named = (*self.regions, *self.zones)
        places = ", ".join((*named[:_SHOWN], *(("...",) if named[_SHOWN:] else ())))
        return " ".join(one for one in (self.cloud, self.project or "", places) if one)

    def digest(self, identity: str) -> str:
        """Return what answers are kept under: the same question by the same account."""
        asked = {**asdict(self), "group": None, "user": None, "jump": None, "name": None, "address": None}
        text = json.dumps([asked, identity], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]
