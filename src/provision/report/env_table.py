"""Generations on hosts, as lines and as documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.decode.surrogates import encodable
from provision.report.display import one_line
from provision.report.duration import duration
from provision.sync.sizes import sized

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.environment.generations_kept import Built, Environment
    from provision.events import HostFinished

USERS = 3
"""Users of a generation that a line names."""


def list_lines(answers: Mapping[str, tuple[float, tuple[Environment, ...]]]) -> Iterator[str]:
    """Yield a line for each environment of each host, and one for each of its generations."""
    for host, (now, environments) in answers.items():
        if not environments:
            yield f"{one_line(host)}: no environments"
        for environment in environments:
            yield one_line(f"{host}: {environment.project}/{environment.name}")
            for one in environment.generations:
                yield f"  {_line(environment, one, now)}"


def _line(environment: Environment, one: Built, now: float) -> str:
    built = "" if one.built is None else f"built {duration(max(now - one.built, 0))} ago from "
    origin = f"{built}{'a lock' if one.lock else 'a solve'}" if one.complete else ""
    users = ", ".join(one.used_by[:USERS]) + (f" and {len(one.used_by) - USERS} more" if one.used_by[USERS:] else "")
    parts = [
        standing(environment, one),
        f"{sized(one.size)}, {sized(one.freed)} of it its own",
        origin,
        f"used by {users}" if users else "",
    ]
    return one_line(f"{one.name}  " + "; ".join(filter(None, parts)))


def standing(environment: Environment, one: Built) -> str:
    """Return what a generation is to its environment."""
    if one.name == environment.current:
        return "current"
    if not one.complete:
        return "unfinished"
    if one.rejected:
        return "rejected"
    return "previous" if one.name == environment.previous else "complete"


def list_document(
    command: str,
    code: int,
    answers: Mapping[str, tuple[float, tuple[Environment, ...]]],
    failed: Mapping[str, HostFinished],
) -> dict[str, Any]:
    """Return the document of `env list`."""
    hosts = {
        host: {"outcome": "converged", "environments": [_environment(one, now) for one in found], "error": None}
        for host, (now, found) in answers.items()
    }
    return document(command, code, hosts, failed)


def document(
    command: str, code: int, hosts: Mapping[str, dict[str, Any]], failed: Mapping[str, HostFinished]
) -> dict[str, Any]:
    """Return a document of hosts, those that failed among them."""
    told = dict(hosts)
    for name, finished in failed.items():
        failure = finished.failure
        said = failure and {"kind": failure.kind, "message": encodable(failure.message), "hint": failure.hint}
        told[name] = {"outcome": finished.outcome.value, "error": said}
    named = {encodable(name): one for name, one in told.items()}
    return {"schema_version": 1, "command": command, "exit_code": code, "hosts": named}


def _environment(environment: Environment, now: float) -> dict[str, Any]:
    return {
        "project": encodable(environment.project),
        "environment": encodable(environment.name),
        "current": environment.current and encodable(environment.current),
        "previous": environment.previous,
        "generations": [_generation(environment, one, now) for one in environment.generations],
    }


def _generation(environment: Environment, one: Built, now: float) -> dict[str, Any]:
    return {
        "generation": one.name,
        "standing": standing(environment, one),
        "digest": one.digest and encodable(one.digest),
        "from": ("lock" if one.lock else "solve") if one.complete else None,
        "built": one.built,
        "age_s": None if one.built is None else max(round(now - one.built), 0),
        "bytes": one.size,
        "own_bytes": one.freed,
        "used_by": [encodable(user) for user in one.used_by],
    }
