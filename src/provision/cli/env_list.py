"""`env list`: the generations that hosts have, what they take, who uses them, which is current."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.env_export_host import performer_for, probe
from provision.cli.workspace import Workspace
from provision.engine.env_generations import tell
from provision.report.env_table import list_document, list_lines

if TYPE_CHECKING:
    import argparse

    from provision.environment.generations_kept import Environment
    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link

DESCRIPTION = """\
Show the generations of the project's environments on hosts: how much room each takes and would give back alone, how
old it is, whether a lock made it, which is current, which one a rollback goes to, and the jobs and processes that use
it. Nothing on the host changes.
"""
EXAMPLES = """\
  provision env list
  provision env list gpu-box --all
  provision env list --json
"""
CONDA = "conda=~/miniconda3"


def main(name: str, argv: list[str]) -> int:
    """Run `env list`."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select(asked.hosts or ["all"])
    asking: AskedHosts[tuple[float, tuple[Environment, ...]]] = AskedHosts(name, argv, asked, workspace)

    def work(link: Link, host: Host, emit: Emit) -> tuple[float, tuple[Environment, ...]]:
        performer = performer_for(link, host, emit, asking.stop)
        now, found = tell(performer, probe(performer, host, (CONDA,)))
        return now, tuple(one for one in found if asked.all or one.project == workspace.project.name)

    answers = asking.ask(hosts, work)
    code = asking.exit_code()
    if asked.json:
        print(json.dumps(list_document(name, code, answers, asking.failed), indent=2))
    else:
        for line in list_lines(answers):
            print(line)
    asking.complain()
    return code


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("hosts", nargs="*", metavar="HOST", help="names, groups, globs; none: all of hosts.yaml")
    words.add_argument("--all", action="store_true", help="also environments of other projects")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)
