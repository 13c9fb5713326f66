"""Questions to the ledger; one with a problem answers nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from provision.ledger.rows import (
    FactChanged,
    FindingSeen,
    GenerationSeen,
    HostRun,
    HostState,
    JobSeen,
    LockSeen,
    Notice,
    Row,
    Run,
    StepRun,
)

if TYPE_CHECKING:
    from provision.ledger.store import Ledger

R = TypeVar("R", bound=Row)
OFTEN = 200
"""Names that are asked for in one statement."""


def runs(
    ledger: Ledger,
    *,
    since: float | None = None,
    host: str | None = None,
    command: str | None = None,
    limit: int | None = None,
) -> list[Run]:
    """Return runs, the newest first; of a command also those of its parts (``env``: ``env lock``)."""
    where: list[str] = []
    values: list[Any] = []
    if since is not None:
        where.append("started >= ?")
        values.append(since)
    if command is not None:
        where.append("(command = ? OR substr(command, 1, ?) = ?)")
        values += [command, len(command) + 1, f"{command} "]
    if host is not None:
        where.append("id IN (SELECT run FROM host_runs WHERE host = ?)")
        values.append(host)
    text = f"WHERE {' AND '.join(where)} " if where else ""
    values += [-1 if limit is None else limit]
    return ledger.rows(Run, f"{text}ORDER BY started DESC, id DESC LIMIT ?", values)


def run_named(ledger: Ledger, name: str) -> list[Run]:
    """Return the runs whose id begins so, or ends with it after the dash; ``last`` names the newest of all."""
    if name == "last":
        return runs(ledger, limit=1)
    where = "WHERE substr(id, 1, ?) = ? OR substr(id, ?) = ? ORDER BY started DESC LIMIT 10"
    return ledger.rows(Run, where, (len(name), name, -len(name) - 1, f"-{name}"))


def hosts_of(ledger: Ledger, run: str | Run) -> list[HostRun]:
    """Return what a run came to on each host."""
    return ledger.rows(HostRun, "WHERE run = ? ORDER BY rowid", (run if isinstance(run, str) else run.id,))


def hosts_of_all(ledger: Ledger, found: list[Run]) -> dict[str, list[HostRun]]:
    """Return the same of many runs, by the run's id."""
    told: dict[str, list[HostRun]] = {one.id: [] for one in found}
    names = list(told)
    for at in range(0, len(names), OFTEN):
        some = names[at : at + OFTEN]
        marks = ", ".join("?" * len(some))
        for row in ledger.rows(HostRun, f"WHERE run IN ({marks}) ORDER BY rowid", some):
            told[row.run].append(row)
    return told


def host_runs(ledger: Ledger, *, since: float | None = None, host: str | None = None) -> list[HostRun]:
    """Return what all runs came to on hosts, the oldest first."""
    return _asked(ledger, HostRun, since, host, "started")


def steps(ledger: Ledger, *, since: float | None = None, host: str | None = None) -> list[StepRun]:
    """Return steps, the oldest first."""
    return _asked(ledger, StepRun, since, host, "started")


def steps_of(ledger: Ledger, run: str) -> list[StepRun]:
    """Return the steps of a run, each host's in their order."""
    return ledger.rows(StepRun, "WHERE run = ? ORDER BY host, number", (run,))


def findings_of(ledger: Ledger, run: str) -> list[FindingSeen]:
    """Return what a run found, host by host."""
    return ledger.rows(FindingSeen, "WHERE run = ? ORDER BY host, rowid", (run,))


def findings(ledger: Ledger, *, since: float | None = None, host: str | None = None) -> list[FindingSeen]:
    """Return findings, the oldest first: once for each run that saw them."""
    return _asked(ledger, FindingSeen, since, host, "at")


def changes(ledger: Ledger, *, since: float | None = None, host: str | None = None) -> list[FactChanged]:
    """Return facts that changed, the oldest first."""
    return _asked(ledger, FactChanged, since, host, "at")


def generations(ledger: Ledger, *, since: float | None = None, host: str | None = None) -> list[GenerationSeen]:
    """Return what became of generations, the oldest first."""
    return _asked(ledger, GenerationSeen, since, host, "at")


def states(ledger: Ledger) -> list[HostState]:
    """Return what each host was last known to be, by name."""
    return ledger.rows(HostState, "ORDER BY host")


def locks(ledger: Ledger, *, since: float | None = None) -> list[LockSeen]:
    """Return locks that were written, the oldest first."""
    return _asked(ledger, LockSeen, since, None, "at")


def jobs(ledger: Ledger, *, since: float | None = None, host: str | None = None) -> list[JobSeen]:
    """Return what was last known of each job, the longest not seen first."""
    return _asked(ledger, JobSeen, since, host, "at")


def notices(ledger: Ledger, *, since: float | None = None) -> list[Notice]:
    """Return what was told, the oldest first."""
    return _asked(ledger, Notice, since, None, "at")


def _asked(ledger: Ledger, kind: type[R], since: float | None, host: str | None, time: str) -> list[R]:
    where: list[str] = []
    values: list[Any] = []
    if since is not None:
        where.append(f"{time} >= ?")
        values.append(since)
    if host is not None:
        where.append("host = ?")
        values.append(host)
    text = f"WHERE {' AND '.join(where)} " if where else ""
    return ledger.rows(kind, f"{text}ORDER BY {time}, rowid", values)
