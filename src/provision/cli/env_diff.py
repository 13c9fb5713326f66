"""`env diff`: what an environment has against its build, its lock, another host's, or the local venv."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.env_export_host import performer_for, probe
from provision.cli.job_environment import environment_of
from provision.cli.workspace import Workspace
from provision.engine.drift import Look, look
from provision.environment.drift import compare, distributions, held, held_by_lock
from provision.environment.drift_text import when
from provision.errors import StepFailedError, UsageError
from provision.report.diff_document import diff_document
from provision.report.diff_sides import Against, Diff
from provision.report.diff_table import diff_lines
from provision.report.style import style_for

if TYPE_CHECKING:
    import argparse

    from provision.environment.listing import Listing
    from provision.environment.lock import Lock
    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.playbook.tasks.environment import EnvironmentTask

DESCRIPTION = """\
Show what the environment in use on a host has, package by package, that another one has not: added, removed and
changed, by conda and by pip, also what was installed there by hand. Exit with 0 where both are equal, else with 7.

  provision env diff HOST            against what its build left: what was changed by hand since
  provision env diff HOST OTHER      against the environment of another host
  provision env diff HOST --lock     against the lock beside environment.yml
  provision env diff HOST --local    against the project's venv on this machine, as Python sees both
"""
EXAMPLES = """\
  provision env diff gpu-box
  provision env diff gpu-box ali-3
  provision env diff gpu-box --local --venv ~/venvs/mymodel
  provision env diff gpu-box --lock --json
"""
DIFFERENT = 7


@dataclass(frozen=True, slots=True)
class Seen:
    """What a host's environment was found to be."""

    look: Look
    environment: str
    generation: str
    lock: Lock | None
    """The lock for this host; ``None``: there is none that was made from the file as it is."""


def main(name: str, argv: list[str]) -> int:
    """Run `env diff`."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    hosts = _hosts(workspace, asked)
    local = _local(workspace, asked) if asked.local else None
    tasks = {one.name: _task(workspace, one, asked.environment) for one in hosts}
    asking: AskedHosts[Seen] = AskedHosts(name, argv, asked, workspace)

    def work(link: Link, host: Host, emit: Emit) -> Seen:
        task = tasks[host.name]
        performer = performer_for(link, host, emit, asking.stop)
        facts = probe(performer, host, tuple(task.asks()))
        place = task.place(facts)
        if place is None:
            raise StepFailedError(
                f"its environment '{task.name}' has no complete build in use", hint="`provision up` builds it"
            )
        seen = look(performer, place)
        wanted = task.wanted(facts)
        lock = wanted.lock if wanted is not None else None
        _refuse_incomparable(asked, task, seen, lock)
        return Seen(seen, task.name, place.generation.name, lock)

    answers = asking.ask(hosts, work)
    code = asking.exit_code()
    diff = None
    if not code and len(answers) == len(hosts):
        diff = _diff(asked, [one.name for one in hosts], answers, local)
        code = 0 if diff.equal else DIFFERENT
    asking.complain()
    if asked.json:
        print(json.dumps(diff_document(name, code, diff, asking.failed), indent=2))
    elif diff is not None:
        for line in diff_lines(diff, style_for(sys.stdout, os.environ)):
            print(line)
    return code


def _diff(
    asked: argparse.Namespace, hosts: list[str], answers: dict[str, Seen], local: tuple[Path, Listing] | None
) -> Diff:
    first = answers[hosts[0]]
    title = (hosts[0], first.environment, first.generation)
    now = held(first.look.listing)
    if local is not None:
        path, listing = local
        changes = compare(distributions(listing), distributions(first.look.listing))
        return Diff(*title, Against.LOCAL, str(path), changes)
    if len(hosts) > 1:
        second = answers[hosts[1]]
        changes = compare(held(second.look.listing), now)
        return Diff(*title, Against.HOST, hosts[1], changes, other_generation=second.generation)
    if asked.lock and first.lock is not None:
        changes = compare(held_by_lock(first.lock), now)
        return Diff(*title, Against.LOCK, first.lock.source, changes, first.look.damage)
    changes = first.look.changes or ()
    since = [(one.now.name, when(first.look.build.since_of(one.now))) for one in changes if one.now is not None]
    known = tuple((package, at) for package, at in since if at is not None)
    return Diff(*title, Against.BUILD, "its build", changes, first.look.damage, known)


def _refuse_incomparable(asked: argparse.Namespace, task: EnvironmentTask, seen: Look, lock: Lock | None) -> None:
    """Refuse what has no other side.

    Raises:
        StepFailedError: there is no lock for this host, or its build kept no list.
    """
    if asked.lock:
        if lock is None:
            raise StepFailedError(
                f"no lock for this host was made from the file of '{task.name}' as it is", hint="provision env lock"
            )
    elif asked.other is None and not asked.local and seen.changes is None:
        raise StepFailedError(
            f"the build of '{task.name}' kept no list of its packages: an earlier version of provision made it",
            hint="compare it with another host, a lock (--lock) or the venv (--local)",
        )


def _hosts(workspace: Workspace, asked: argparse.Namespace) -> tuple[Host, ...]:
    given = [one for one in (asked.host, asked.other) if one is not None]
    if len(given) + asked.lock + asked.local > 2:  # noqa: PLR2004 - two sides
        raise UsageError("two sides are compared: one of OTHER, --lock and --local", hint="provision env diff --help")
    if len(set(given)) < len(given):
        raise UsageError(f"'{given[0]}' is named twice: there is nothing to compare", hint="name another host")
    return tuple(workspace.host(one) for one in given)


def _task(workspace: Workspace, host: Host, name: str | None) -> EnvironmentTask:
    task = environment_of(workspace, host, name)
    if task is None:
        raise UsageError(
            f"the playbook '{host.playbook}' of {host.name} builds no environment for this project",
            hint="`provision init` writes an environment.yml",
        )
    return task


def _local(workspace: Workspace, asked: argparse.Namespace) -> tuple[Path, Listing]:
    from provision.remote.sources import source
    from provision.venv.place import find_venv
    from provision.venv.reading import read_packages

    try:
        venv = find_venv(workspace.project.root, os.environ, Path(asked.venv).expanduser() if asked.venv else None)
        if venv is None:
            raise UsageError(
                "the project has no venv here", hint="--venv PATH names one; `provision init --venv` makes one"
            )
        return venv.path, read_packages(venv.path, source("list_packages.py"))
    except ValueError as error:
        raise UsageError(str(error), hint="--venv PATH names a venv") from None


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("host", metavar="HOST", help="the host whose environment is compared")
    words.add_argument("other", metavar="OTHER", nargs="?", help="another host")
    words.add_argument("--lock", action="store_true", help="compare with the lock that is for the host")
    words.add_argument("--local", action="store_true", help="compare with the project's venv on this machine")
    words.add_argument("--venv", metavar="PATH", help="the venv of --local (default: the project's own)")
    words.add_argument("--environment", metavar="NAME", help="which of the project's environments (default: the first)")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    asked: argparse.Namespace = words.parse_args(argv)
    if asked.venv and not asked.local:
        raise UsageError("--venv belongs to --local", hint="provision env diff HOST --local --venv PATH")
    return asked
