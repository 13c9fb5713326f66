"""What `plan`, `up` and `verify` do: the same way to each host, with another goal."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from typing import TYPE_CHECKING

from provision.cli.pins import PinFile
from provision.cli.signals import stopping
from provision.cli.workspace import Workspace, settings
from provision.engine.converge import Converger, Goal
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.errors import ProvisionError
from provision.playbook.bind import Binder
from provision.playbook.files import load_playbook, shipped_folder
from provision.report.face import Face
from provision.report.log import RunLog

if TYPE_CHECKING:
    import argparse

    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.model.plan import Outcome
    from provision.playbook.task import Task


def converge(name: str, argv: list[str], asked: argparse.Namespace) -> int:
    """Bring hosts to a goal, show what happens, and return the exit code."""
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select(asked.hosts)
    tasks = {host.name: _tasks(host, workspace, asked.playbook) for host in hosts}
    routes = {host.name: workspace.route(host) for host in hosts}
    how = settings(asked.host_keys)
    stop = Stop()
    holder = f"{_whoami()} ({name}, run {secrets.token_hex(4)})"
    log = RunLog.open(name, argv, os.environ)
    face = Face(
        name,
        [host.name for host in hosts],
        json=asked.json,
        verbose=asked.verbose,
        log=log,
        dry_run=getattr(asked, "dry_run", False),
        pending_is_7=getattr(asked, "exit_code", False),
        fail_fast=asked.fail_fast,
    )

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
        face.finish()
    return face.exit_code()


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
