"""The JSON document of `env diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.decode.surrogates import encodable
from provision.report.diff_sides import Against

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.environment.drift import Change, Held
    from provision.events import HostFinished
    from provision.report.diff_sides import Diff


def diff_document(command: str, code: int, diff: Diff | None, failed: Mapping[str, HostFinished]) -> dict[str, Any]:
    """Return the document; `diff` is ``None`` where a side could not be read, and the host in `failed` says why."""
    hosts: dict[str, Any] = {}
    if diff is not None:
        hosts[diff.host] = _host(diff.environment, diff.generation)
        if diff.against is Against.HOST:
            hosts[diff.other] = _host(diff.environment, diff.other_generation)
    for name, finished in failed.items():
        failure = finished.failure
        said = failure and {"kind": failure.kind, "message": encodable(failure.message), "hint": failure.hint}
        hosts[name] = {"outcome": finished.outcome.value, "error": said}
    return {
        "schema_version": 1,
        "command": command,
        "exit_code": code,
        "hosts": {encodable(name): one for name, one in hosts.items()},
        "diff": None if diff is None else _diff(diff),
    }


def _host(environment: str, generation: str | None) -> dict[str, Any]:
    told = {"environment": encodable(environment), "generation": encodable(generation or "")}
    return {"outcome": "converged", **told, "error": None}


def _diff(diff: Diff) -> dict[str, Any]:
    since = dict(diff.since)
    return {
        "host": encodable(diff.host),
        "against": diff.against.value,
        "other": encodable(diff.other),
        "equal": diff.equal,
        "packages": [{**_change(one), "since": since.get(one.held.name)} for one in diff.changes],
        "damaged": [
            {"name": encodable(one.name), "version": encodable(one.version), "missing": one.missing, "files": one.files}
            for one in diff.damage
        ],
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        "name": encodable(one.held.name),
        "by": encodable(one.held.by),
        "change": one.kind,
        "here": _held(one.now),
        "there": _held(one.was),
    }


def _held(one: Held | None) -> dict[str, Any] | None:
    if one is None:
        return None
    build, origin = (encodable(text) if text else None for text in (one.build, one.origin))
    return {"version": encodable(one.version), "build": build, "origin": origin}
