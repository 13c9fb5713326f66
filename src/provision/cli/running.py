"""Runs a goal on hosts: engine, screen and log brought together."""

from __future__ import annotations

import os
import secrets
import shlex
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.cli.asking import Asking
from provision.cli.open_files import forks_allowed
from provision.cli.secrecy import secrets_of
from provision.cli.signals import stopping
from provision.cli.whoami import whoami
from provision.cli.workspace import through
from provision.engine.converge import Converger, Goal
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.errors import ProvisionError
from provision.ssh.libraries import load_ssh_libraries

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.model.plan import Outcome
    from provision.playbook.task import Task
    from provision.report.asked import Asked
    from provision.report.face import Face
    from provision.report.fold import Report
    from provision.ssh.route import Route, Settings


@dataclass(frozen=True, slots=True)
class Selection:
    """The hosts of a run, what is wanted of each, and the way there."""

    hosts: tuple[Host, ...]
    tasks: dict[str, tuple[Task, ...]]
    routes: dict[str, Route]
    settings: Settings
    inventory: Path | None = None
    """The file that names the hosts."""


def run(name: str, argv: list[str], asked: argparse.Namespace, selection: Selection) -> int:
    """Run the goal `name` on every host, show what happens, and return the exit code."""
    # First what every host waits for; what only their answers need is loaded while those are on their way.
    load_ssh_libraries()
    from provision.ssh.link import SshLink

    stop = Stop()
    holder = f"{whoami()} ({name}, run {secrets.token_hex(4)})"
    ready = threading.Event()
    asking = Asking(stop)
    settings = through(asking, selection.settings)

    def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        def connect() -> Link:
            link = SshLink(selection.routes[host.name], settings)
            ready.wait()
            return link

        goal = Goal(
            "plan" if getattr(asked, "dry_run", False) else name,
            selection.tasks[host.name],
            host.state_dir,
            host.workdir,
            holder,
            wait=getattr(asked, "wait", False),
            env=host.env,
            drift=getattr(asked, "drift", False),
        )
        converger = Converger(goal, connect, emit, stop)
        try:
            return converger.run(), ()
        except ProvisionError as error:
            error.left = converger.left
            from provision.cli.known_causes import add_known_causes

            add_known_causes(error, selection.inventory)
            raise

    forks = forks_allowed(asked.forks, len(selection.hosts))
    events = run_fleet(selection.hosts, work, stop, forks=forks, fail_fast=asked.fail_fast)
    face = _face(name, argv, asked, selection)
    with stopping(stop, face):
        # Loaded while the hosts are at work.
        from provision.report.met import remember

        asking.begin(face.quiet)
        ready.set()
        for event in events:
            face.take(event)
        try:
            face.finish()
        finally:
            # Whether or not somebody reads our output: it happened.
            remember(face.report, os.environ, _project, secrets=secrets_of(selection.hosts))
    if getattr(asked, "notify", False):
        _tell(face.report, asked, selection)
    return face.exit_code()


def _face(name: str, argv: list[str], asked: argparse.Namespace, selection: Selection) -> Face:
    # Here, where nobody waits for them, for the workers.
    import provision.facts
    import provision.gpu.findings  # noqa: F401
    from provision.report.face import Face
    from provision.report.log import RunLog

    return Face(
        name,
        [host.name for host in selection.hosts],
        json=asked.json,
        verbose=asked.verbose,
        log=RunLog.open(name, argv, os.environ, secrets=secrets_of(selection.hosts)),
        dry_run=getattr(asked, "dry_run", False),
        pending_is_7=getattr(asked, "exit_code", False) or getattr(asked, "drift", False),
        fail_fast=asked.fail_fast,
        options=_options(asked),
        asked={name: _asked(tasks) for name, tasks in selection.tasks.items()},
    )


def _asked(tasks: tuple[Task, ...]) -> tuple[Asked, ...]:
    from provision.playbook.tasks.environment import EnvironmentTask
    from provision.report.asked import Asked

    found = [one for one in tasks if isinstance(one, EnvironmentTask)]
    return tuple(Asked(one.project, one.name, one.link_name, one.prefix) for one in found)


def _tell(report: Report, asked: argparse.Namespace, selection: Selection) -> None:
    from pathlib import Path

    from provision.cli.notices import tell_run
    from provision.project import load_project

    project = load_project(Path.cwd())
    tell_run(report, project, secrets_of(selection.hosts), drift=getattr(asked, "drift", False))


def _project() -> str:
    from pathlib import Path

    from provision.project import load_project

    return load_project(Path.cwd()).name


def _options(asked: argparse.Namespace) -> tuple[str, ...]:
    """Return the options that the next command needs too, to mean the same hosts and the same playbook."""
    given = (("-i", asked.inventory), ("-p", asked.playbook))
    flags = [f"--{name.replace('_', '-')}" for name in ("build_anyway", "keep_drift") if getattr(asked, name, False)]
    return (*(f"{option} {shlex.quote(value)}" for option, value in given if value), *flags)
