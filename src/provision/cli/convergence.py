"""What `plan`, `up` and `verify` read before they connect: every bad file is told here."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from provision.cli.known_causes import check_team_file
from provision.cli.pins import PinFile
from provision.cli.workspace import Workspace, settings
from provision.playbook.bind import Binder
from provision.playbook.files import load_playbook, shipped_folder
from provision.ssh.early import dial_early

if TYPE_CHECKING:
    import argparse

    from provision.model.host import Host
    from provision.playbook.task import Task


def converge(name: str, argv: list[str], asked: argparse.Namespace) -> int:
    """Bring hosts to a goal, show what happens, and return the exit code."""
    workspace = Workspace.open(asked.inventory)
    check_team_file(workspace.inventory.path)
    hosts = workspace.select(asked.hosts)
    anyway = getattr(asked, "build_anyway", False)
    tasks = {host.name: _tasks(host, workspace, asked.playbook, build_anyway=anyway) for host in hosts}
    routes = {host.name: workspace.route(host) for host in hosts}
    dial_early(routes.values(), asked.forks)
    # Imported only now: while the modules load, the sockets connect.
    from provision.cli.running import Selection, run

    return run(name, argv, asked, Selection(hosts, tasks, routes, settings(asked.host_keys), workspace.inventory.path))


_binders: dict[str, Binder] = {}


def _tasks(host: Host, workspace: Workspace, playbook: str | None, *, build_anyway: bool) -> tuple[Task, ...]:
    wanted = playbook or host.playbook
    if wanted not in _binders:
        project = workspace.project
        found = load_playbook(wanted, project.root)
        shipped = found.path is None or found.path.parent == shipped_folder()
        folder = project.root if shipped or found.path is None else found.path.parent
        _binders[wanted] = Binder(found, project, PinFile(folder), build_anyway=build_anyway)
        with suppress(OSError):
            # Nobody reads it (`2>/dev/full`): that is no reason to stop.
            print(f"playbook {found.shown}", file=sys.stderr, flush=True)
    return _binders[wanted].bind(host)
