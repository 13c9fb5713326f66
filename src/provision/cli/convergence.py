"""The commands `plan`, `up` and `verify`: the same way to each host, with another goal."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from typing import TYPE_CHECKING

from provision.cli import options
from provision.cli.pins import PinFile
from provision.cli.signals import stopping
from provision.cli.workspace import Workspace, settings
from provision.engine.converge import Converger, Goal
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.errors import ProvisionError
from provision.playbook.bind import Binder
from provision.playbook.files import load_playbook, shipped_folder
from provision.report.exit_code import exit_code
from provision.report.face import Face
from provision.report.log import RunLog

if TYPE_CHECKING:
    import argparse

    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.model.plan import Outcome
    from provision.playbook.task import Task

DESCRIPTIONS = {
    "plan": "Show what `up` would change on the hosts, and why, like a diff. Nothing is touched.",
    "up": "Bring hosts to what their playbook says: Miniconda, the conda environment, GPU and CUDA proven to work.",
    "verify": "Judge hosts without changing them: every check is repeated, whatever was recorded before.",
}
EXAMPLES = {
    "plan": "  provision plan gpu-box\n  provision plan all --exit-code     exit with 7 when changes are pending\n",
    "up": (
        "  provision up gpu-box\n  provision up train '!ali-7'        a group, but for one host\n"
        "  provision up all --forks 50 --json\n  provision up gpu-box --wait        when another run holds the host\n"
    ),
    "verify": "  provision verify gpu-box\n  provision verify all --json\n",
}


def main(name: str, argv: list[str]) -> int:
    """Run `plan`, `up` or `verify`."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select(asked.hosts)
    tasks = {host.name: _tasks(host, workspace, asked.playbook) for host in hosts}
    routes = {host.name: workspace.route(host) for host in hosts}
    how = settings(asked.host_keys)
    stop = Stop()
    holder = f"{_whoami()} ({name}, run {secrets.token_hex(4)})"
    log = RunLog.open(name, argv, os.environ)
    face = Face(name, [host.name for host in hosts], json=asked.json, verbose=asked.verbose, log=log)

    def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        def connect() -> Link:
            from provision.ssh.link import SshLink

            return SshLink(routes[host.name], how)

        goal = Goal(
            "plan" if getattr(asked, "dry_run", False) else name,
            tasks[host.name],
            host.state_dir,
            host.workdir,
            holder,
            wait=getattr(asked, "wait", False),
        )
        converger = Converger(goal, connect, emit, stop)
        try:
            return converger.run(), ()
        except ProvisionError as error:
            error.left = converger.left
            raise

    with stopping(stop, face):
        for event in run_fleet(hosts, work, stop, forks=asked.forks, fail_fast=asked.fail_fast):
            face.take(event)
        report = face.finish()
    return exit_code(report, pending_is_7=getattr(asked, "exit_code", False))


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTIONS[name], EXAMPLES[name])
    options.add_hosts(words)
    options.add_inventory(words)
    words.add_argument("-p", "--playbook", metavar="NAME|FILE", help="instead of the hosts' own")
    if name == "plan":
        words.add_argument("--exit-code", action="store_true", help="exit with 7 when changes are pending")
    if name == "up":
        words.add_argument("--dry-run", action="store_true", help="the same as `provision plan`")
        words.add_argument("--wait", action="store_true", help="wait for another run that holds the host")
    options.add_fleet(words)
    options.add_output(words)
    return words.parse_args(argv)


_binders: dict[str, Binder] = {}


def _tasks(host: Host, workspace: Workspace, playbook: str | None) -> tuple[Task, ...]:
    wanted = playbook or host.playbook
    if wanted not in _binders:
        project = workspace.project
        found = load_playbook(wanted, project.root)
        shipped = found.path is None or found.path.parent == shipped_folder()
        folder = project.root if shipped or found.path is None else found.path.parent
        _binders[wanted] = Binder(found, project, PinFile(folder))
        print(f"playbook {found.shown}", file=sys.stderr)
    return _binders[wanted].bind(host)


def _whoami() -> str:
    return f"{os.environ.get('USER') or os.environ.get('LOGNAME') or os.getuid()}@{socket.gethostname()}"
