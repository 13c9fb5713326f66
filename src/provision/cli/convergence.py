"""What `plan`, `up` and `verify` read before they connect: every bad file is told here."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli.known_causes import check_team_file
from provision.cli.pins import PinFile
from provision.cli.workspace import Workspace, settings
from provision.playbook.bind import Binder
from provision.playbook.files import load_playbook, shipped_folder
from provision.playbook.tasks.environment import EnvironmentTask
from provision.ssh.early import dial_early

if TYPE_CHECKING:
    import argparse

    from provision.model.host import Host
    from provision.playbook.task import Task


def converge(name: str, argv: list[str], asked: argparse.Namespace) -> int:
    """Bring hosts to a goal, show what happens, and return the exit code."""
    workspace = _opened(asked)
    check_team_file(workspace.inventory.path)
    if getattr(asked, "notify", False):
        from provision.cli.notices import check_channels

        check_channels(workspace.project)
    hosts = workspace.select(asked.hosts)
    anyway = getattr(asked, "build_anyway", False)
    bundle = getattr(asked, "bundle", None)
    frozen = getattr(asked, "frozen", False) or bundle is not None

    def bound() -> dict[str, tuple[Task, ...]]:
        return {
            host.name: _tasks(host, workspace, asked.playbook, build_anyway=anyway, frozen=frozen) for host in hosts
        }

    if bundle is not None:
        # What is in the file is sent over the connection: no host is asked whether it could download it.
        hosts = tuple(replace(host, offline=True) for host in hosts)
    tasks = bound()
    if bundle is not None:
        from provision.cli.bundle_use import use_bundle

        use_bundle(Path(bundle), _binders.values())
    if frozen or any(one.has_stale_lock for one in _binders.values()):
        # Imported only now: most runs have no stale lock.
        from provision.cli.stale_locks import lock_again, refuse_unlocked

        binders = tuple(_binders.values())
        if frozen:
            refuse_unlocked(binders)
        elif lock_again("plan" if getattr(asked, "dry_run", False) else name, binders, hosts):
            _binders.clear()
            tasks = bound()
    if getattr(asked, "keep_drift", False):
        tasks = {host: tuple(map(_keeping_drift, wanted)) for host, wanted in tasks.items()}
    routes = {host.name: workspace.route(host) for host in hosts}
    dial_early(routes.values(), asked.forks)
    # Imported only now: while the modules load, the sockets connect.
    from provision.cli.running import Selection, run

    return run(name, argv, asked, Selection(hosts, tasks, routes, settings(asked.host_keys), workspace.inventory.path))


def _opened(asked: argparse.Namespace) -> Workspace:
    if not getattr(asked, "power_on", False):
        return Workspace.open(asked.inventory)
    from provision.cli.powered import powered

    return powered(asked)


def _keeping_drift(task: Task) -> Task:
    return replace(task, keep_drift=True) if isinstance(task, EnvironmentTask) else task


_binders: dict[str, Binder] = {}


def _tasks(
    host: Host, workspace: Workspace, playbook: str | None, *, build_anyway: bool, frozen: bool
) -> tuple[Task, ...]:
    wanted = playbook or host.playbook
    if wanted not in _binders:
        project = workspace.project
        found = load_playbook(wanted, project.root)
        shipped = found.path is None or found.path.parent == shipped_folder()
        folder = project.root if shipped or found.path is None else found.path.parent
        _binders[wanted] = Binder(found, project, PinFile(folder), build_anyway=build_anyway, frozen=frozen)
        with suppress(OSError):
            # Nobody reads it (`2>/dev/full`): that is no reason to stop.
            print(f"playbook {found.shown}", file=sys.stderr, flush=True)
    return _binders[wanted].bind(host)
