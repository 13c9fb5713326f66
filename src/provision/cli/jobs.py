"""The command `jobs`: all jobs of the hosts; `jobs show` and `jobs rm` are about single ones."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.job_named import known_job
from provision.cli.workspace import Workspace
from provision.decode.near import suggestion
from provision.engine.job_ask import ask
from provision.engine.job_talk import understood
from provision.errors import UsageError
from provision.jobs.listing import Listed, listed_of
from provision.ledger.recorder import current
from provision.report.display import one_line
from provision.report.job_table import document, table
from provision.report.style import style_for

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from provision.events import Emit
    from provision.ledger.rows import JobSeen
    from provision.model.host import Host
    from provision.model.link import Link

DESCRIPTION = """\
Show the jobs of hosts: of all in hosts.yaml, or of those that are named. Jobs that ended more than a week ago are shown
with --all.

  provision jobs show JOB     its record, the use of its GPUs as a drawing, the end of its log
  provision jobs rm JOB...    remove its snapshot with what it made there, its log and its record
"""
EXAMPLES = """\
  provision jobs
  provision jobs gpu-box --all
  provision jobs --json
  provision jobs show last
"""
WEEK = 7 * 86400.0


def main(name: str, argv: list[str]) -> int:
    """Run `jobs`, `jobs show` or `jobs rm`."""
    if argv and argv[0] == "show":
        from provision.cli.jobs_show import main as show

        return show(f"{name} show", argv[1:])
    if argv and argv[0] == "rm":
        from provision.cli.jobs_rm import main as remove

        return remove(f"{name} rm", argv[1:])
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    hosts = _hosts(asked.hosts, workspace)
    asking: AskedHosts[Listed] = AskedHosts(name, argv, asked, workspace)
    wanted: dict[str, Any] = {"what": "list", **({} if asked.all else {"ended_within": WEEK})}

    def work(link: Link, host: Host, emit: Emit) -> Listed:
        answer = ask(link, host, wanted, emit, asking.stop)
        with understood():
            return listed_of(answer)

    answers = asking.ask(hosts, work)
    code = asking.exit_code()
    if asked.json:
        print(json.dumps(document(answers, asking.failed, code), indent=2))
    else:
        try:
            width = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0
        except OSError:
            width = 0
        for line in table(answers, style_for(sys.stdout, os.environ), width):
            print(line)
    asking.complain()
    over = [(job.record.id, job.state) for listed in answers.values() for job in listed.jobs if job.state.over]
    if over:
        from provision.cli.notices import tell_jobs

        tell_jobs(over)
    recorded = current()
    if recorded is not None:
        recorded.add(lambda: _seen(answers))
    return code


def _seen(answers: Mapping[str, Listed]) -> Iterator[JobSeen]:
    from provision.ledger.jobs import seen

    for host, listed in answers.items():
        for job in listed.jobs:
            yield seen(host, job.record, job.state)


def _hosts(words: list[str], workspace: Workspace) -> tuple[Host, ...]:
    try:
        return workspace.select(words or ["all"])
    except UsageError as error:
        meant = suggestion(words[0], ("show", "rm")) if words else ""
        if meant:
            raise UsageError(f"there is no `provision jobs {one_line(words[0])}`{meant}", hint=error.hint) from None
        if words and known_job(words[0], workspace) is not None:
            raise UsageError(
                f"'{one_line(words[0])}' is a job, and `jobs` takes hosts", hint=f"provision jobs show {words[0]}"
            ) from None
        raise


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("hosts", nargs="*", metavar="HOST", help="names, groups, globs; none: all of hosts.yaml")
    words.add_argument("--all", action="store_true", help="also jobs that ended more than a week ago")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    asked: argparse.Namespace = words.parse_args(argv)
    if "show" in asked.hosts or "rm" in asked.hosts:
        raise UsageError("`show` and `rm` follow `jobs` at once", hint="provision jobs show JOB")
    return asked
