"""What commands tell through the project's channels when they end: never instead of their own work."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError, UsageError
from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from provision.cli.job_book import Entry
    from provision.model.job import JobState
    from provision.notify.message import Notice
    from provision.project import Project
    from provision.report.fold import HostReport, Report


def say(line: str) -> None:
    """Write a line for people; where nobody reads it, that is no reason to stop."""
    with suppress(OSError, ValueError):
        print(one_line(line), file=sys.stderr, flush=True)


def check_channels(project: Project) -> None:
    """Refuse `--notify` where nobody could be told, before anything else is done.

    Raises:
        UsageError: there is no channel, or one cannot be used.
    """
    from provision.notify.sending import check_channel

    if not project.notify:
        raise UsageError("--notify: provision.yaml has no `notify:`", hint="provision notify --help")
    for name, channel in project.notify.items():
        check_channel(name, channel, os.environ)


def tell_run(report: Report, project: Project, secrets: Sequence[str], *, drift: bool) -> None:
    """Tell which hosts failed, work again and have drifted.

    Args:
        report: The run, ended.
        project: Whose channels are meant.
        secrets: Texts that must not be sent.
        drift: Whether the run looked for drift.
    """
    from provision.notify.sending import tell

    if not report.foresees:
        _never_failing(lambda: tell(os.environ, project, list(_of_run(report, project, drift=drift)), hidden=secrets))


def tell_jobs(seen: Iterable[tuple[str, JobState]]) -> None:
    """Tell the end of jobs that were launched from here with `--notify`, by their ids, unless it was told before."""
    from provision.cli.job_book import JobBook

    book = JobBook.of_this_machine()
    for job, state in seen:
        entry = book.entry(job) if state.over else None
        if entry is not None and entry.notify:
            _never_failing(partial(_tell_job, entry, state, book.remember))


def _tell_job(entry: Entry, state: JobState, remember: Callable[[Entry], str | None]) -> list[str]:
    from provision.jobs.outcome import how_it_ended
    from provision.notify.message import Notice
    from provision.notify.sending import tell
    from provision.project import load_project
    from provision.report.duration import after

    project = load_project(Path(entry.root))
    if not project.notify:
        remember(replace(entry, notify=False))
        return [f"nobody is told that job {entry.id} ended: {entry.root} has no `notify:` any more"]
    name = f" ({entry.name})" if entry.name else ""
    text = f"job {entry.id}{name} {how_it_ended(state)}{after(state.started, state.ended)}"
    trouble = tell(os.environ, project, [Notice("job", entry.host, text, f"job/{entry.host}/{entry.id}")])
    if not trouble:
        remember(replace(entry, notify=False))
    return trouble


def _of_run(report: Report, project: Project, *, drift: bool) -> Iterator[Notice]:
    from provision.ledger.told import DRIFT
    from provision.model.plan import Outcome
    from provision.notify.message import Notice
    from provision.notify.told import Told
    from provision.report.verdict import verdict_line

    told, root = Told(os.environ), str(project.root.resolve())
    failed = {Outcome.FAILED, Outcome.UNREACHABLE, Outcome.UNFIT, Outcome.CRASHED}
    for host in report.hosts.values():
        if not host.finished or _stopped(host):
            continue
        if host.outcome in failed:
            why = host.error.message if host.error is not None else verdict_line(host)
            yield Notice("failure", host.name, str(why or host.outcome.value), f"failure/{host.name}")
        elif host.good and told.standing(root, "failure", host.name):
            yield Notice("recovery", host.name, "works again", f"recovery/{host.name}/{time.time():.0f}")
        found = "; ".join(one.message for one in host.findings if one.code in DRIFT)
        if drift and found:
            digest = hashlib.sha256(found.encode("utf-8", "replace")).hexdigest()[:16]
            yield Notice("drift", host.name, found, f"drift/{host.name}/{digest}")
        elif drift and host.facts is not None:
            told.forget(root, "drift", host.name)


def _stopped(host: HostReport) -> bool:
    return host.error is not None and host.error.kind == "stopped"


def _never_failing(work: Callable[[], list[str]]) -> None:
    try:
        for line in work():
            say(f"note: not told: {one_line(line)}")
    except ProvisionError as error:
        say(f"note: not told: {one_line(error.message)}")
    except Exception as error:  # noqa: BLE001 - the command has done its work, and its exit code stands
        say(f"note: not told: {type(error).__name__}")
