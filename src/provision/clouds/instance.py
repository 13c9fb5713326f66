"""What a cloud says about one rented machine, in the same words for every cloud."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

State = Literal["starting", "running", "stopping", "stopped", "gone"]
"""``stopped`` can be started again, ``gone`` cannot."""
STATES: tuple[str, ...] = get_args(State)
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Instance:
    """A machine as its cloud describes it; all text is the cloud's own, so show it escaped."""

    cloud: str
    region: str
    id: str
    """Its identity, whatever its name and address become."""
    name: str = ""
    """What the cloud calls it; empty where it has no name."""
    zone: str = ""
    type: str = ""
    state: str = "running"
    public: str = ""
    private: str = ""
    spot: bool = False
    """The cloud may take it away at any time."""
    created: str = ""
    """ISO 8601, UTC."""
    image: str = ""
    user: str = ""
    """Login name that the image is known for; empty where nothing is known."""
    gpus: int | None = None
    """GPUs that are paid for; ``None`` where the cloud does not say."""
    gpu_model: str = ""
    gpu_memory_gib: float | None = None
    """Memory of each GPU, in GiB."""
    tags: tuple[tuple[str, str], ...] = ()
    billed_when_stopped: bool = False
    """The cloud says that it costs its whole price while it is stopped."""

    def address(self, which: str) -> str:
        """Return its ``public`` or ``private`` address; with ``auto`` the public one, else the private one."""
        if which == "private":
            return self.private
        return self.public or (self.private if which == "auto" else "")

    @property
    def label(self) -> str:
        """How errors name it: ``aws us-east-1 i-0abc``."""
        return f"{self.cloud} {self.region} {self.id}"


def to_json(instance: Instance) -> dict[str, Any]:
    """Return it as JSON values, without what is empty."""
    values = asdict(instance)
    defaults = {one.name: one.default for one in fields(Instance)}
    kept = {key: value for key, value in values.items() if value != defaults[key]}
    if instance.tags:
        kept["tags"] = dict(instance.tags)
    return kept


def from_json(value: Any) -> Instance:
    """Return the instance that `to_json` wrote.

    Raises:
        ValueError: it is not one.
    """
    if not isinstance(value, dict):
        raise ValueError("an instance is a mapping")  # noqa: TRY004 - one kind of error for whoever reads a file
    known = {one.name for one in fields(Instance)}
    unknown = set(value) - known
    if unknown:
        raise ValueError(f"an instance has no {min(unknown)!r}")
    tags = value.get("tags", {})
    if not isinstance(tags, dict):
        raise ValueError("tags are a mapping")  # noqa: TRY004 - likewise
    try:
        return made(**{**value, "tags": tags})
    except TypeError as error:
        raise ValueError(str(error)) from error


def made(**values: Any) -> Instance:
    """Return an instance whose every value has its type and a bounded length.

    Raises:
        ValueError: the identity is missing, or a value has another type.
    """
    text: dict[str, Any] = {}
    for one in fields(Instance):
        if one.name not in values:
            continue
        value = values[one.name]
        if one.name == "tags":
            text["tags"] = tuple(sorted((_text(key, "tags"), _text(item, "tags")) for key, item in value.items()))
        elif one.name in {"spot", "billed_when_stopped"}:
            text[one.name] = bool(value)
        elif one.name == "gpus":
            text["gpus"] = None if value is None else _count(value)
        elif one.name == "gpu_memory_gib":
            text["gpu_memory_gib"] = None if value is None else float(value)
        else:
            text[one.name] = _address(value) if one.name in {"public", "private"} else _text(value, one.name)
    made_of = Instance(**text)
    if not made_of.id:
        raise ValueError("an instance without an id")
    if made_of.state not in STATES:
        raise ValueError(f"'{made_of.state[:20]}' is no state of an instance")
    return made_of


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name} of an instance is not text")  # noqa: TRY004 - likewise
    return value[:_LONGEST]


def _address(value: object) -> str:
    """Return an IP address: it is filled into commands that reach the host, so it is nothing else."""
    text = _text(value, "an address")
    return str(ipaddress.ip_address(text)) if text else ""


def _count(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,4}", value):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 9999:  # noqa: PLR2004 - GPUs of one machine
        raise ValueError(f"'{value!s:.20}' is no number of GPUs")
    return value
