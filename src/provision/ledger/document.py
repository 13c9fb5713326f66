"""What `provision history --json` prints; within a version of the schema fields are only ever added."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.ledger.happened import Happened, Story
    from provision.ledger.rows import FindingSeen, HostRun, HostState, Row, Run, StepRun
    from provision.ledger.store import Ledger

SCHEMA_VERSION = 1


def runs_document(ledger: Ledger, found: Sequence[Run], hosts: Mapping[str, Sequence[HostRun]]) -> dict[str, Any]:
    """Return the document of many runs, the oldest first."""
    return {**_head(ledger), "runs": [run_fields(one, hosts.get(one.id, ())) for one in found]}


def run_document(
    ledger: Ledger, run: Run, hosts: Sequence[HostRun], steps: Sequence[StepRun], findings: Sequence[FindingSeen]
) -> dict[str, Any]:
    """Return the document of one run."""
    return {
        **_head(ledger),
        "runs": [run_fields(run, hosts)],
        "steps": [_fields(one) for one in steps],
        "findings": [_fields(one) for one in findings],
    }


def host_document(
    ledger: Ledger, host: str, state: HostState | None, told: Story, happened: Sequence[Happened]
) -> dict[str, Any]:
    """Return the document of one host."""
    return {
        **_head(ledger),
        "host": host,
        "state": None if state is None else _fields(state),
        "happened": [_plain(asdict(one)) for one in happened],
        "open": [
            {"code": one.last.code, "severity": one.last.severity, "title": one.last.title, "fix": one.last.fix}
            | {"first": one.first.at, "last": one.last.at}
            for one in told.open
        ],
    }


def run_fields(run: Run, hosts: Sequence[HostRun]) -> dict[str, Any]:
    """Return one run with what it came to on each host."""
    return {**_fields(run), "hosts": [_fields(one) for one in hosts]}


def _head(ledger: Ledger) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "history",
        "exit_code": 0,
        "ledger": _plain(str(ledger.path)) if ledger.path is not None else None,
    }


def _fields(row: Row) -> dict[str, Any]:
    shown: dict[str, Any] = _plain({**asdict(row)})
    return shown


def _plain(value: Any) -> Any:
    """Return the value with no lone surrogate in it: a file that others wrote may hold anything."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value
