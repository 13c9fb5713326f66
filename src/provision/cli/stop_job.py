"""The command `stop`: ends jobs, with everything that they started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.job_named import find_job
from provision.cli.run import span
from provision.cli.whoami import whoami
from provision.cli.workspace import Workspace
from provision.engine.job_ask import stop_job
from provision.engine.job_talk import understood
from provision.jobs.answers import state_of
from provision.jobs.outcome import how_it_ended
from provision.report.display import one_line
from provision.report.exit_code import INTERRUPTED

if TYPE_CHECKING:
    import argparse

    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.job import JobState
    from provision.model.link import Link

DESCRIPTION = """\
End jobs: TERM to every process of theirs, and KILL to what is left after the grace time. A job that waits for GPUs is
taken out of the row. JOB is an id, the beginning of one, a name, `last`, or HOST:ID.
"""
EXAMPLES = """\
  provision stop last
  provision stop k3x7 baseline --grace 60s      time to write a checkpoint
"""


def main(name: str, argv: list[str]) -> int:
    """Run `stop`."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    named = [find_job(name, word, workspace, asked) for word in dict.fromkeys(asked.jobs)]
    codes: list[int] = []
    shown: list[dict[str, Any]] = []
    for one in named:
        hosts: AskedHosts[tuple[str, JobState]] = AskedHosts(name, argv, asked, workspace)
        request = {"id": one.id, "grace": asked.grace, "by": whoami()}

        def work(
            link: Link,
            host: Host,
            emit: Emit,
            request: dict[str, Any] = request,
            hosts: AskedHosts[tuple[str, JobState]] = hosts,
        ) -> tuple[str, JobState]:
            answer = stop_job(link, host, request, emit, hosts.stop)
            with understood():
                return str(answer.get("was")), state_of(answer.get("state"))

        answers = hosts.ask((one.host,), work, "the host goes on with it")
        hosts.complain()
        codes.append(hosts.exit_code())
        for was, state in answers.values():
            shown.append({"id": one.id, "host": one.host.name, "was": was, "state": state.state})
            if not asked.json:
                had = was in {"exited", "stopped", "lost"}
                print(f"job {one.id} {'had ended: it ' if had else ''}{one_line(how_it_ended(state))}")
        if codes[-1] == INTERRUPTED:
            break
    code = next((one for one in codes if one), 0)
    if asked.json:
        print(json.dumps({"schema_version": 1, "command": "stop", "exit_code": code, "jobs": shown}, indent=2))
    return code


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("jobs", nargs="+", metavar="JOB", help="ids, beginnings of ids, names, or `last`")
    words.add_argument("--grace", type=span, metavar="TIME", help="between TERM and KILL (default: as it was launched)")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)
