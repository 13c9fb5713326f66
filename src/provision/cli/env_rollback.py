"""`env rollback`: makes an earlier generation the current one, and lets `up` leave it so."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.env_export_host import performer_for, probe
from provision.cli.job_environment import environment_of
from provision.cli.whoami import whoami
from provision.cli.workspace import Workspace
from provision.decode.surrogates import encodable
from provision.engine.env_rollback import Asked, Rolled, roll
from provision.engine.hold import Hold
from provision.errors import UsageError
from provision.ledger.recorder import current
from provision.report.display import one_line
from provision.report.env_table import document

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from provision.events import Emit
    from provision.ledger.rows import GenerationSeen
    from provision.model.host import Host
    from provision.model.link import Link

DESCRIPTION = """\
Make an earlier generation of an environment the current one, by one rename: the newest complete one before it, or the
one that is named. Jobs that run keep theirs. `provision up` leaves it so until environment.yml (or its lock) changes.
"""
EXAMPLES = """\
  provision env rollback gpu-box
  provision env rollback gpu-box --to 3-1f0a22bc
  provision env rollback gpu-box --undo
"""


def main(name: str, argv: list[str]) -> int:
    """Run `env rollback`."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    host = workspace.host(asked.host)
    task = environment_of(workspace, host, asked.environment)
    if task is None:
        raise UsageError(
            f"the playbook of {host.name} builds no environment for this project",
            hint="`provision init` writes an environment.yml",
        )
    asking: AskedHosts[Rolled] = AskedHosts(name, argv, asked, workspace)

    def work(link: Link, host: Host, emit: Emit) -> Rolled:
        performer = performer_for(link, host, emit, asking.stop)
        words = tuple(task.asks())
        holder = f"{whoami()} ({name}, run {secrets.token_hex(4)})"
        hold = Hold(lambda: link, emit, asking.stop, holder=holder, wait=False)
        try:
            hold.take(probe(performer, host, words).state_dir)
            # Looked at again: another run may have switched before the host was ours.
            return roll(performer, task, probe(performer, host, words), Asked(asked.to, undo=asked.undo))
        finally:
            hold.release()

    answers = asking.ask((host,), work)
    recorded = current()
    if recorded is not None:
        recorded.add(lambda: _seen(recorded.id, workspace.project.name, answers))
    code = asking.exit_code()
    if asked.json:
        told = {one: _told(each) for one, each in answers.items()}
        print(json.dumps(document(name, code, told, asking.failed), indent=2))
    else:
        for rolled in answers.values():
            for line in rolled.lines:
                print(one_line(line))
    asking.complain()
    return code


def _seen(run: str, project: str, answers: Mapping[str, Rolled]) -> Iterator[GenerationSeen]:
    from provision.ledger.rows import CURRENT, ROLLED_BACK, GenerationSeen

    for host, one in answers.items():
        event = ROLLED_BACK if one.stands else CURRENT
        yield GenerationSeen(run, host, time.time(), f"{project}/{one.environment}", one.now, None, event)


def _told(rolled: Rolled) -> dict[str, Any]:
    return {
        "outcome": "changed",
        "environment": rolled.environment,
        "from": rolled.was,
        "to": rolled.now,
        "stands": rolled.stands,
        "packages": [encodable(one) for one in rolled.changes],
        "error": None,
    }


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("host", metavar="HOST", help="the host whose environment goes back")
    words.add_argument("--to", metavar="GENERATION", help="which one (default: the newest complete one before)")
    words.add_argument("--undo", action="store_true", help="end a rollback: make current what it went back from")
    words.add_argument("--environment", metavar="NAME", help="which of the project's environments (default: the first)")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    asked: argparse.Namespace = words.parse_args(argv)
    if asked.undo and asked.to:
        raise UsageError("--undo goes to where the rollback came from", hint="give --to alone")
    return asked
