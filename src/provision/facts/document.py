"""Facts as a JSON document."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from provision.decode.surrogates import encodable

if TYPE_CHECKING:
    from provision.model.facts import Facts

_PAIRS = frozenset({"readings", "paths", "packages", "records", "unless"})
"""Fields whose pairs read better as an object."""


def to_json(facts: Facts) -> dict[str, Any]:
    """Return the facts as plain values that `json.dumps` takes; bytes that were no UTF-8 are escaped."""
    return {one.name: _field(one.name, getattr(facts, one.name)) for one in fields(facts)}


def _plain(value: object) -> Any:
    if is_dataclass(value):
        return {one.name: _field(one.name, getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {encodable(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, frozenset):
        return sorted(_plain(inner) for inner in value)
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return encodable(value) if isinstance(value, str) else value


def _field(name: str, value: Any) -> Any:
    return _plain(dict(value)) if name in _PAIRS and isinstance(value, tuple) else _plain(value)
