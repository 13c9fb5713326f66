"""What `pull JOB` and `pull JOB:PATH` bring: what a job made, or a path of its snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.cli.asked_hosts import AskedHosts
from provision.cli.job_named import LAST, Named, find_job, known_job
from provision.engine.job_ask import ask
from provision.engine.job_talk import understood
from provision.errors import UsageError
from provision.jobs.answers import job_of
from provision.jobs.ids import ID

if TYPE_CHECKING:
    import argparse

    from provision.cli.workspace import Workspace
    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.job import Job
    from provision.model.link import Link


@dataclass(frozen=True, slots=True)
class JobPlace:
    """Where on a host the files of a job are."""

    host: Host
    root: str
    path: str
    unlike: str
    """The list of what the job was started with: that stays there; empty: all is meant."""


def job_place(text: str, workspace: Workspace, asked: argparse.Namespace) -> JobPlace | None:
    """Return where the files are that a word means; ``None`` where it means no job, but a host's path.

    Raises:
        UsageError: there is no such job, or it has no files of its own.
    """
    word, _, path = text.partition(":")
    if word in workspace.inventory.hosts or word in workspace.inventory.groups:
        return None
    named = known_job(word, workspace) if word else None
    if named is None:
        if word != LAST and not ID.fullmatch(word):
            return None
        named = find_job("pull", word, workspace, asked)
    job = _asked(named, workspace, asked)
    snapshot = job.record.snapshot
    if snapshot is None:
        raise UsageError(
            f"job {named.id} ran in the project's own folder: what it made is there",
            hint=f"provision pull {named.host.name}:PATH",
        )
    if path:
        return JobPlace(named.host, snapshot, path, "")
    state_dir = named.host.state_dir.rstrip("/")
    return JobPlace(named.host, snapshot, snapshot, f"{state_dir}/jobs/{named.id}/snapshot.list")


def _asked(named: Named, workspace: Workspace, asked: argparse.Namespace) -> Job:
    hosts: AskedHosts[Job] = AskedHosts("pull", [named.id], asked, workspace)
    request: dict[str, Any] = {"what": "show", "id": named.id, "lines": 0, "points": 0}

    def work(link: Link, host: Host, emit: Emit) -> Job:
        answer = ask(link, host, request, emit, hosts.stop)
        with understood():
            return job_of(answer)

    answers = hosts.ask((named.host,), work)
    if not answers:
        failure = next((one.failure for one in hosts.failed.values() if one.failure is not None), None)
        raise _failed(failure.message, failure.hint, failure.exit_code) if failure else UsageError("nothing was said")
    return answers[named.host.name]


def _failed(message: str, hint: str | None, code: int) -> Exception:
    from provision.errors import InterruptedRunError, StepFailedError, UnreachableError

    kinds = {3: UnreachableError, 130: InterruptedRunError}
    return kinds.get(code, StepFailedError)(message, hint=hint)
