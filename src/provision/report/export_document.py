"""The JSON document of `env export`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.events import HostFinished


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of one export."""

    environment: str | None
    """As provision calls it; ``None``: it is no environment of provision's."""
    generation: str | None
    prefix: str
    pin: str
    file: str | None
    """Where it was written; ``None``: it was printed."""
    text: str
    notes: Sequence[str]


def export_document(
    command: str, code: int, exported: Mapping[str, Exported], failed: Mapping[str, HostFinished]
) -> dict[str, Any]:
    """Return the document; a host that could not be read has an ``error``."""
    hosts: dict[str, Any] = {
        host: {
            "outcome": "converged",
            "environment": one.environment,
            "generation": one.generation,
            "prefix": one.prefix,
            "pin": one.pin,
            "file": one.file,
            "text": one.text,
            "notes": list(one.notes),
            "error": None,
        }
        for host, one in exported.items()
    }
    hosts |= {host: {"outcome": one.outcome.value, "error": error_of(one)} for host, one in failed.items()}
    return {"schema_version": 1, "command": command, "exit_code": code, "hosts": hosts}


def error_of(finished: HostFinished) -> dict[str, Any] | None:
    """Return why a host could not be read."""
    failure = finished.failure
    return None if failure is None else {"kind": failure.kind, "message": failure.message, "hint": failure.hint}
