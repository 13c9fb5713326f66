"""What a user sees of a run job: our own words on stderr; stdout is the job's, its id's or the document's."""

from __future__ import annotations

import json
import os
import shlex
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from provision.cli.pull_screen import Screen
from provision.events import HostEvent, JobLaunched, LinkLost, Note, Synced, SyncPlanned, SyncProgress, Waiting
from provision.jobs.outcome import exit_code, how_it_ended
from provision.ledger.recorder import current
from provision.report.display import one_line, shortened
from provision.report.duration import after
from provision.report.exit_code import INTERRUPTED, host_code
from provision.report.fold import Report
from provision.report.link_text import link_lost
from provision.report.style import style_for
from provision.report.summary import failure_lines
from provision.report.sync_lines import below, path_shown, what_was_done

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from provision.ledger.rows import JobSeen
    from provision.model.host import Host
    from provision.model.job import Job, JobState

COMMAND_SHOWN = 120
"""Characters of a command that are shown."""


class JobScreen:
    """The words of one run, in the order in which they happen."""

    def __init__(self, host: Host, tree: str, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._name = host.name
        self._report = Report("run", [host.name])
        self._host = self._report.hosts[host.name]
        self._host.tree = tree
        self._style = style_for(sys.stderr, os.environ)
        self._lines = Screen(host.name, quiet=asked.json)
        self._waited = ""
        self._job: Job | None = None
        self._state: JobState | None = None
        recorded = current()
        if recorded is not None:
            recorded.take(self._report)
            recorded.add(self._seen)
        self.follows = False
        """Whether what is shown now is the job's own output."""
        self._line(f"{one_line(host.target)}: {path_shown(tree)}")

    def note(self, text: str) -> None:
        """Tell something of the project; from any thread."""
        self._report.notes.append(text)
        self._lines.say(f"note: {text}")

    def take(self, told: HostEvent) -> None:
        """Fold and show one event."""
        self._report.take(told)
        event = told.event
        if isinstance(event, Note | LinkLost | SyncProgress):
            self._lines.take(event)
            if isinstance(event, Note):
                for line in event.lines:
                    self._line(f"  -> {one_line(line)}")
        elif isinstance(event, Waiting):
            if event.reason != self._waited:
                self._line(f"{one_line(self._name)}: {one_line(event.reason)}")
            self._waited = event.reason
        elif isinstance(event, SyncPlanned):
            self._waited = ""
        elif isinstance(event, Synced):
            self._host.ended = told.at
            self._line(f"{self._style.bold(one_line(self._name))}: {what_was_done(self._host, self._style)}")
            for line in below(event.result, self._style, verbose=self._asked.verbose):
                self._line(f"  {line}")
        elif isinstance(event, JobLaunched):
            self._launched(event.job)

    def job_told(self, state: JobState) -> None:
        """Show what has become of the job while it is followed."""
        self._state = state
        waiting = state.waiting.text if state.state == "queued" and state.waiting is not None else ""
        if waiting and waiting != self._waited:
            self._line(f"job {self._id()} waits for {one_line(waiting)}")
            self._waited = waiting
        elif state.state == "running" and self._waited and state.gpus:
            self._line(f"job {self._id()} begins on {', '.join(one_line(one) for one in state.gpus)}")
            self._waited = ""

    def link_lost(self, reason: str) -> None:
        """Tell that the link is being made anew; the job goes on meanwhile."""
        self._line(f"{link_lost(reason, self._name)} (the job goes on)")

    def say(self, text: str) -> None:
        """Answer the first Ctrl-C, from a signal handler."""
        self._report.asked_to_stop = True
        if not self.follows:
            self._lines.say("stopping" if "now" not in text else text)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nothing moves on this screen while somebody is asked."""
        yield

    def streams(self) -> tuple[BinaryIO, BinaryIO]:
        """Return where the job's two streams go: with --json both to stderr, as stdout has one document."""
        out, err = sys.stdout.buffer, sys.stderr.buffer
        return (err, err) if self._asked.json else (out, err)

    def finish(self, log: Path | None) -> int:
        """Show how it ended, print the id or the document, and return the exit code."""
        self._lines.close()
        code = self._exit_code()
        for line in self._end(log):
            self._line(line)
        if self._asked.json:
            from provision.report.document import document

            shown = document(self._report)
            shown["exit_code"] = code
            shown["hosts"][self._name]["job"] = self._job.record.id if self._job is not None else None
            shown["hosts"][self._name]["state"] = self._state.state if self._state is not None else None
            print(json.dumps(shown, indent=2))
        elif self._asked.detach and self._job is not None:
            print(self._job.record.id)
        return code

    def _seen(self) -> Iterator[JobSeen]:
        if self._job is not None:
            from provision.ledger.jobs import seen

            yield seen(self._name, self._job.record, self._state or self._job.state)

    # -- lines -----------------------------------------------------------------------------------

    def _launched(self, job: Job) -> None:
        self._job, record = job, job.record
        command = shortened(one_line(shlex.join(record.command)), COMMAND_SHOWN)
        self._line(f"{self._style.green(f'job {record.id}')}: {command}")
        environment = record.environment
        parts = [f"environment {environment.name} {environment.generation}" if environment else "no environment"]
        parts.append("in place" if record.snapshot is None else f"snapshot {path_shown(record.snapshot)}")
        if record.way == "session":
            parts.append("a session of its own")
        self._line(self._style.dim(f"  {'; '.join(one_line(one) for one in parts)}"))

    def _end(self, log: Path | None) -> Iterator[str]:
        host, name = self._host, self._style.bold(one_line(self._name))
        if self._job is not None and (host.error is not None or self._asked.detach):
            if host.error is not None and host.error.exit_code != INTERRUPTED:
                yield from (f"{line}" for line in failure_lines(host, self._style, verbose=self._asked.verbose))
            goes_on = self._state is None or self._state.state in {"queued", "running"}
            if goes_on:
                yield f"job {self._id()} goes on there, whatever becomes of this machine"
                yield f"  follow: provision logs -f {self._id()}    stop: provision stop {self._id()}"
        elif self._state is not None and self._job is not None:
            text = how_it_ended(self._state)
            colour = self._style.green if self._state.exit_code == 0 else self._style.red
            yield f"job {self._id()} {colour(one_line(text))}{after(self._state.started, self._state.ended)}"
            if self._state.reason == "not-started" and self._job.record.environment is None:
                yield "  -> the job had no conda environment: the project has no environment.yml. Write one, and"
                yield f"     provision up {one_line(self._name)}, or name a program that the host itself has (python3)"
        else:
            yield f"{name}: {self._style.outcome(host.outcome, host.outcome.value)}"
            yield from (f"  {line}" for line in failure_lines(host, self._style, verbose=self._asked.verbose))
            if host.error is not None and host.error.kind == "usage" and not self._asked.verbose:
                yield from (f"  {one_line(line)}" for line in (host.error.detail or "").splitlines())
            if log is not None:
                yield f"log:  {log}"

    def _exit_code(self) -> int:
        if self._host.error is None and self._state is not None and self._state.state in {"exited", "stopped", "lost"}:
            return exit_code(self._state)
        return host_code(self._host, pending_is_7=False)

    def _id(self) -> str:
        return self._job.record.id if self._job is not None else ""

    def _line(self, text: str) -> None:
        """Write a line of ours; what it shows of others is harmless already."""
        self._lines.line(text)
