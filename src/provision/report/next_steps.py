"""What the user can do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.model.plan import Outcome
from provision.report.asked import activated
from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.report.fold import HostReport, Report

_NAMED = 4


def next_lines(report: Report) -> Iterator[str]:
    """Yield commands that lead on from here: to the pending changes, to the machine, to another try."""
    hosts = list(report.hosts.values())
    command = "sync" if report.command == "sync" else "up"
    pending = [one for one in hosts if one.outcome is Outcome.PENDING and one.finished]
    if pending:
        yield f"provision {command} {_arguments(pending)}{one_line(report.options)}"
    if report.foresees:
        return
    again = [one for one in hosts if one.outcome in {Outcome.INTERRUPTED, Outcome.SKIPPED}]
    busy = [one for one in hosts if one.outcome is Outcome.BUSY]
    broken = [one for one in hosts if not one.good and one not in again and one not in busy]
    if report.command == "up" and (again or broken):
        first = "when that is put right: " if broken else ""
        yield f"{first}provision up {_arguments(broken + again)}{one_line(report.options)}"
    if report.command == command and busy:
        yield f"provision {command} {_arguments(busy)}{one_line(report.options)} --wait"
    if report.command == "up" and len(hosts) == 1 and hosts[0].good:
        yield from _use(hosts[0])


def _use(host: HostReport) -> Iterator[str]:
    found = activated(host.facts, host.asked) if host.facts is not None else None
    then = ""
    if found is not None:
        prefix, name = (one_line(one) for one in found)
        then = f"; there: . {prefix}/etc/profile.d/conda.sh && conda activate {name}"
    yield f"provision ssh {one_line(host.name)}{then}"


def _arguments(hosts: list[HostReport]) -> str:
    names = " ".join(one_line(one.name) for one in hosts[:_NAMED])
    return names if len(hosts) <= _NAMED else f"{names} ... ({len(hosts)} hosts)"
