"""The command `logs`: what a job has printed, and what it prints."""

from __future__ import annotations

import re
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.job_named import find_job
from provision.cli.log_screen import LogScreen, UnreadError
from provision.cli.run import span
from provision.cli.workspace import Workspace
from provision.errors import UsageError
from provision.jobs.outcome import exit_code, how_it_ended
from provision.report.display import one_line
from provision.report.duration import after
from provision.report.link_text import link_lost

if TYPE_CHECKING:
    import argparse

    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.job import JobState
    from provision.model.link import Link

DESCRIPTION = """\
Print what a job has printed: its stdout on stdout, its stderr on stderr, byte for byte. JOB is an id, the beginning of
one, a name, `last`, or HOST:ID. With -f it goes on until the job has ended, and ends with the job's exit code.
"""
EXAMPLES = """\
  provision logs -f last
  provision logs baseline --tail 50
  provision logs k3x7 --since 10m >part.log
"""
MOST_LINES = 1_000_000


def main(name: str, argv: list[str]) -> int:
    """Run `logs`."""
    asked = _parse(name, argv)
    tail, since = _lines(asked.tail), _ago(asked.since)
    workspace = Workspace.open(asked.inventory)
    named = find_job(name, asked.job, workspace, asked)
    hosts: AskedHosts[JobState] = AskedHosts(name, argv, asked, workspace)
    shown = LogScreen(sys.stdout.buffer, sys.stderr.buffer)
    waited = [""]

    def told(state: JobState) -> None:
        text = state.waiting.text if state.state == "queued" and state.waiting is not None else ""
        if asked.follow and text and text != waited[0]:
            hosts.says(f"job {named.id} waits for {one_line(text)}")
        waited[0] = text

    def work(link: Link, host: Host, emit: Emit) -> JobState:
        del emit
        from provision.engine.follow import Follower, Heard

        def lost(reason: str) -> None:
            hosts.says(f"{link_lost(reason, host.name)} (the job goes on)")

        heard = Heard(shown.take, told, lost)
        follower = Follower(link, host.state_dir, named.id, host.env, hosts.stop, heard)
        return follower.run(tail=tail, since=since, follow=asked.follow)

    answers = hosts.ask((named.host,), work, "")
    shown.close()
    state = answers.get(named.host.name)
    if state is None:
        code = hosts.exit_code()
        if code == 130:  # noqa: PLR2004 - Ctrl-C
            if asked.follow:
                hosts.says(f"job {named.id} goes on; follow it again: provision logs -f {named.id}")
        elif code != UnreadError.exit_code:
            hosts.complain()
        return code
    from provision.cli.notices import tell_jobs

    tell_jobs([(named.id, state)])
    if not asked.follow:
        return 0
    hosts.says(f"job {named.id} {one_line(how_it_ended(state))}{after(state.started, state.ended)}")
    return exit_code(state)


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("job", metavar="JOB", help="its id, the beginning of one, its name, or `last`")
    words.add_argument("-f", "--follow", action="store_true", help="go on until the job has ended")
    words.add_argument("--tail", metavar="N", help="begin with the last N lines")
    words.add_argument(
        "--since", metavar="TIME", help="begin with what was printed so long ago (10m, 2h), or since then"
    )
    options.add_inventory(words)
    return words.parse_args(argv)


def _lines(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_LINES):
        raise UsageError(f"'{one_line(text[:20])}' is no number of lines", hint="--tail 50")
    return int(text)


def _ago(text: str | None) -> float | None:
    """Return how many seconds ago is meant; no clock of a host is compared with ours."""
    if text is None:
        return None
    if re.match(r"\d{4}-\d\d-\d\d", text):
        try:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()
        except ValueError:
            raise UsageError(f"'{one_line(text[:40])}' is no time", hint="--since 2026-03-01T09:30, or 10m") from None
        return max(0.0, time.time() - moment.timestamp())
    return span(text)
