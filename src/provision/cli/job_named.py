"""Which job a word means: an id, the beginning of one, a name, ``last``, or HOST:ID."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.cli.asked_hosts import AskedHosts
from provision.cli.job_book import JobBook
from provision.engine.job_ask import ask
from provision.errors import UnreachableError, UsageError
from provision.jobs.ids import ID, may_be_id
from provision.report.display import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from provision.cli.workspace import Workspace
    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link

LAST = "last"
SHOWN = 8
"""Jobs that are listed where a word means several."""


@dataclass(frozen=True, slots=True)
class Named:
    """A job, and the host that it is on."""

    id: str
    host: Host


def known_job(word: str, workspace: Workspace) -> Named | None:
    """Return the job that this machine launched and the word means; ``None`` where it launched none like that.

    Raises:
        UsageError: several are meant, or its host is no longer in the inventory.
    """
    host, colon, rest = word.rpartition(":")
    if colon:
        if host not in workspace.inventory.hosts:
            raise UsageError(f"there is no host '{one_line(host[:60])}' in the inventory", hint="provision jobs")
        if ID.fullmatch(rest):
            return Named(rest, workspace.host(host))
        return None
    entries = JobBook.of_this_machine().entries()
    if word == LAST:
        if not entries:
            raise UsageError("this machine has launched no job yet", hint="provision jobs    shows those of all hosts")
        chosen = entries[0]
    else:
        # Of those that have one name, the newest is meant: an experiment is run again by its name.
        named = [one for one in entries if one.name == word][:1]
        begin = [one for one in entries if may_be_id(word) and one.id.startswith(word) and one not in named]
        meant = [one for one in begin if one.id == word] or [*begin, *named]
        _one_of(word, [(one.id, one.host) for one in meant])
        if not meant:
            return None
        chosen = meant[0]
    if chosen.host not in workspace.inventory.hosts:
        raise UsageError(
            f"job {chosen.id} runs on {one_line(chosen.host)} ({one_line(chosen.target)}), which is not in "
            f"{workspace.inventory.path}",
            hint="-i FILE with that host in it",
        )
    return Named(chosen.id, workspace.host(chosen.host))


def find_job(name: str, word: str, workspace: Workspace, asked: argparse.Namespace) -> Named:
    """Return the job that a word means; hosts are asked where this machine has not launched it.

    Raises:
        UsageError: there is none, or several are meant.
        UnreachableError: hosts that may have it were not reached.
    """
    found = known_job(word, workspace)
    if found is not None:
        return found
    host, colon, rest = word.rpartition(":")
    if not rest:
        raise UsageError(f"'{one_line(word[:60])}' names no job", hint="provision jobs    shows those of all hosts")
    hosts = (workspace.host(host),) if colon else tuple(map(workspace.host, workspace.inventory.hosts))
    asking: AskedHosts[list[Any]] = AskedHosts(name, [word], asked, workspace)

    def listed(link: Link, one: Host, emit: Emit) -> list[Any]:
        jobs = ask(link, one, {"what": "list"}, emit, asking.stop).get("jobs")
        return jobs if isinstance(jobs, list) else []

    matching = [
        (record["id"], host)
        for host, jobs in asking.ask(hosts, listed).items()
        for record in _records(jobs)
        if (may_be_id(rest) and record["id"].startswith(rest)) or record.get("name") == rest
    ]
    matching = [one for one in matching if one[0] == rest] or matching
    _one_of(word, matching)
    if matching:
        return Named(matching[-1][0], workspace.host(matching[-1][1]))
    asking.complain()
    if asking.failed:
        names = ", ".join(map(one_line, asking.failed))
        raise UnreachableError(f"no job '{one_line(word[:60])}' where hosts answered; not reached: {names}")
    raise UsageError(f"there is no job '{one_line(word[:60])}'", hint="provision jobs    shows those of all hosts")


def _one_of(word: str, found: list[tuple[str, str]]) -> None:
    if len(set(found)) > 1:
        shown = ", ".join(f"{job} on {one_line(host)}" for job, host in found[:SHOWN])
        raise UsageError(f"'{one_line(word)}' means {len(found)} jobs: {shown}", hint="type more of the id")


def _records(jobs: Iterable[Any]) -> Iterable[dict[str, Any]]:
    for one in jobs:
        record = one.get("job") if isinstance(one, dict) else None
        if isinstance(record, dict) and isinstance(record.get("id"), str) and ID.fullmatch(record["id"]):
            yield record
