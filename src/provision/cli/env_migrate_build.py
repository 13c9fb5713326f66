"""Locks and builds the file of a migration on its host, as `up` does, and compares what came of it."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from argparse import Namespace
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from provision.cli.pins import PinFile
from provision.cli.workspace import settings
from provision.environment.migrate import NO_CUDA, Target
from provision.environment.spec import load_spec
from provision.errors import UsageError
from provision.playbook.bind import Binder
from provision.playbook.files import load_playbook, shipped_folder
from provision.playbook.options import EnvironmentOptions
from provision.playbook.tasks.environment.request import PLATFORMS, cuda_of, kind_of
from provision.report.display import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from provision.cli.workspace import Workspace
    from provision.model.facts import Facts
    from provision.model.host import Host
    from provision.playbook.files import Playbook
    from provision.playbook.task import Task


def target_of(host: Host, facts: Facts) -> Target:
    """Return what an environment must go with on a host."""
    gpu = kind_of(facts, host.expect) == "gpu"
    cards = sorted({one.compute_capability for one in facts.gpu.gpus if one.compute_capability})
    cuda = cuda_of(facts, host.expect) if gpu else NO_CUDA
    driver = (facts.gpu.driver or facts.gpu.driver_loaded) if cuda != NO_CUDA else None
    return Target(host.name, facts.system.architecture, cuda, driver, tuple(cards))


@dataclass(frozen=True, slots=True)
class MigratedBuild:
    """One file that is to be built on one host."""

    workspace: Workspace
    host: Host
    path: Path
    environment: str | None
    """Its name on the hosts; ``None``: the file's own name."""
    argv: list[str]
    asked: Namespace

    def converge(self, goal: str) -> tuple[int, dict[str, Any] | None]:
        """Run `up` or `verify` with the file; return the exit code, and with --json the host's part of the document."""
        from provision.cli.running import Selection, run

        selection = Selection(
            (self.host,),
            {self.host.name: self._tasks()},
            {self.host.name: self.workspace.route(self.host)},
            settings(self.asked.host_keys),
            self.workspace.inventory.path,
        )
        asked = Namespace(**{**vars(self.asked), "forks": 1, "fail_fast": False, "dry_run": False})
        if not self.asked.json:
            return run(goal, self.argv, asked, selection), None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = run(goal, self.argv, asked, selection)
        return code, _host_of(printed.getvalue(), self.host.name)

    def difference(self, other: Host) -> dict[str, Any] | None:
        """Show what differs from the other host; it is what was to be expected, and no failure."""
        try:
            module = importlib.import_module("provision.cli.env_diff")
        except ImportError:
            return None
        words = [other.name, self.host.name]
        words += ["-i", self.asked.inventory] if self.asked.inventory else []
        words += ["--environment", self.environment] if self.environment else []
        if not self.asked.json:
            module.main("env diff", words)
            return None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            module.main("env diff", [*words, "--json"])
        return _document(printed.getvalue())

    def _tasks(self) -> tuple[Task, ...]:
        project = self.workspace.project
        found = load_playbook(self.asked.playbook or self.host.playbook, project.root)
        shipped = found.path is None or found.path.parent == shipped_folder()
        folder = project.root if shipped or found.path is None else found.path.parent
        binder = Binder(self._playbook(found), project, PinFile(folder), build_anyway=self.asked.build_anyway)
        return binder.bind(self.host)

    def _playbook(self, found: Playbook) -> Playbook:
        """Return the playbook with the file in place of the one that its environment has.

        Raises:
            UsageError: it builds no such environment.
        """
        entries = [one for one in found.tasks if isinstance(one.options, EnvironmentOptions)]
        named = [one for one in entries if getattr(one.options, "name", None) == self.environment]
        chosen = next(iter(named or entries), None)
        if chosen is None or not isinstance(chosen.options, EnvironmentOptions):
            raise UsageError(
                f"the playbook '{found.name}' of {self.host.name} builds no environment", hint="add `environment: {}`"
            )
        options = replace(chosen.options, file=str(self.path.absolute()), name=self.environment)
        tasks = tuple(replace(one, options=options) if one is chosen else one for one in found.tasks)
        return replace(found, tasks=tasks)


def lock_for(build: MigratedBuild, facts: Facts) -> str | None:
    """Lock the file for its host, before anything is built there; return the lock's path.

    Raises:
        StepFailedError: nothing is what the file asks for, or an index cannot be read.
    """
    from provision.cli.locking import Wanted, can_solve, lines, make_lock
    from provision.solving.conda_part import INSTALL
    from provision.solving.machine import GLIBC, Machine

    platform = PLATFORMS.get(facts.system.architecture)
    if not can_solve() or platform is None:
        print(f"note: not locked: nothing here can solve ({INSTALL}); the host does", file=sys.stderr)
        return None
    target = target_of(build.host, facts)
    project = build.workspace.project
    machine = Machine(platform, target.cuda, facts.system.glibc or GLIBC)
    spec = load_spec(build.path, project.name, project.root, allow_pip_options=True)
    wanted = Wanted(build.path, None, spec, machine, build.host.mirror)
    made = make_lock(wanted, lambda text: print(one_line(text), file=sys.stderr), upgrade=False)
    for line in lines(made, verbose=build.asked.verbose):
        print(one_line(line), file=sys.stderr)
    return str(made.path)


def _host_of(text: str, host: str) -> dict[str, Any] | None:
    hosts = (_document(text) or {}).get("hosts")
    found = hosts.get(host) if isinstance(hosts, dict) else None
    return found if isinstance(found, dict) else None


def _document(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
