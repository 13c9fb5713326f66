"""`env lock`: solves an environment once, on this machine, for the hosts' platform and CUDA, and writes it down."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import options
from provision.cli.json_failure import failing
from provision.cli.lock_machines import machines_of_files, machines_of_hosts
from provision.cli.locking import Wanted, can_solve, document, lines, make_lock, put_lock
from provision.cli.waiting import Waiting
from provision.cli.workspace import Workspace
from provision.decode.near import suggestion
from provision.environment.spec import load_spec
from provision.errors import StepFailedError, UsageError
from provision.inventory import find_inventory, load_inventory
from provision.inventory.inventory import EMPTY
from provision.inventory.mirrors import SHIPPED
from provision.ledger.recorder import current
from provision.project import find_root, load_project
from provision.report.display import visible
from provision.solving.conda_part import INSTALL
from provision.solving.machine import Machine

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from provision.cli.locking import Written
    from provision.ledger.rows import LockSeen
    from provision.model.host import Mirror
    from provision.project import Project, ProjectEnvironment

DESCRIPTION = """\
Solve the environment file here, before a GPU-hour is paid, for the platform, CUDA and C library of the hosts, and write
what every host will install, by checksum, into two files beside it: conda's list of archives and pip's requirements.
Commit them: `up` then builds from them, without solving, the same on every host.

Hosts that are named are asked what they are. Without hosts the locks that are there are made anew, for the same
machines; the first time, the default host is asked. With --platform or --cuda nobody is asked.

With --from nothing is solved: the lock is what that host's build in use is made of. It must have been built from the
environment file as it is.
"""
EXAMPLES = """\
  provision env lock gpu-box                  for a host like this one
  provision env lock all                      for each kind of host in hosts.yaml
  provision env lock --cuda 12.4              no host yet: for a driver that serves CUDA 12.4
  provision env lock --cuda none              for hosts without a GPU
  provision env lock                          environment.yml changed: the same locks anew
  provision env lock --upgrade                newest versions, also of what could stay
  provision env lock --check                  exit with 7 where a lock is not what it would be now
  provision env lock --from gpu-box           what conda solved on this host, for all others
"""
SHOWN = 30
"""Lines of a solver's explanation that are shown."""
STALE = 7
"""The exit code of --check where something is to be done."""


def main(name: str, argv: list[str]) -> int:
    """Run `env lock`.

    Raises:
        ProvisionError: nothing, or not all, could be locked; the message says why.
    """
    asked = _parse(name, argv)
    with failing(name, document=asked.json):
        return _from_host(name, argv, asked) if asked.source is not None else _solve(name, asked)


def _solve(name: str, asked: argparse.Namespace) -> int:
    if not can_solve():
        raise UsageError("nothing here can solve an environment: rattler or uv is not installed", hint=INSTALL)
    written: list[Written] = []
    for wanted in _wanted(asked):
        with Waiting() as waiting:
            try:
                made = make_lock(wanted, waiting.on, upgrade=asked.upgrade, write=not asked.check)
            except StepFailedError as error:
                # What stands in the way is what somebody came for: it is shown without -v.
                for line in (error.detail or "").splitlines()[:SHOWN]:
                    waiting.line(f"  {line}")
                if error.detail:
                    error.hint = "check the names and relax a version: the lines above say what stands in the way"
                error.detail = None
                raise
        written.append(made)
        _show(made, asked)
    return _end(name, asked, written)


def _from_host(name: str, argv: list[str], asked: argparse.Namespace) -> int:
    from provision.cli.env_lock_host import take_lock

    given = [
        option
        for option, value in (
            ("--platform", asked.platform),
            ("--cuda", asked.cuda),
            ("--glibc", asked.glibc),
            ("--archspec", asked.archspec),
            ("--mirror", asked.mirror),
            ("--upgrade", asked.upgrade or None),
            ("HOST", asked.hosts or None),
        )
        if value is not None
    ]
    if given:
        raise UsageError(
            f"--from takes what a host has, as it has it: leave out {given[0]}", hint=f"provision {name} --help"
        )
    had, code = take_lock(name, argv, asked)
    if had is None:
        if asked.json:
            print(document([], name, code))
        return code
    _tell(f"{asked.source}: taken from {had.generation}, which conda solved there; nothing was solved here")
    made = put_lock(had.file, had.lock, write=not asked.check)
    _show(made, asked)
    return _end(name, asked, [made])


def _show(made: Written, asked: argparse.Namespace) -> None:
    if not asked.json:
        for line in lines(made, verbose=asked.verbose):
            print(visible(line), flush=True)


def _end(name: str, asked: argparse.Namespace, written: list[Written]) -> int:
    recorded = current()
    if recorded is not None and not asked.check:
        recorded.add(lambda: _seen(recorded.id, written))
    code = STALE if asked.check and not all(one.same for one in written) else 0
    if asked.json:
        print(document(written, name, code))
    elif asked.check and code:
        _tell("nothing was written: the same without --check writes it")
    elif not asked.check and any(not one.same for one in written):
        _tell("commit these files; `provision up` builds from them")
    return code


def _seen(run: str, written: list[Written]) -> Iterator[LockSeen]:
    from provision.ledger.rows import LockSeen

    for one in written:
        if not one.same:
            lock = one.lock
            cuda = None if lock.cuda == "none" else lock.cuda
            path = str(one.path.absolute())
            yield LockSeen(run, time.time(), path, lock.platform, cuda, lock.content, len(one.changed))


def _wanted(asked: argparse.Namespace) -> list[Wanted]:
    project = load_project(Path.cwd())
    environment = project.environment(asked.environment)
    given = any(one is not None for one in (asked.platform, asked.cuda, asked.glibc, asked.archspec))
    if given and asked.hosts:
        raise UsageError("hosts say themselves what they are: leave out --platform, --cuda, --glibc and --archspec")
    if given:
        mirror = mirror_for(asked.mirror, asked.inventory)
        return [_one(project, environment, _machine(asked), mirror)]
    locked = [] if asked.hosts else [one for _, file in environment.files for one in machines_of_files(file, _tell)]
    if locked:
        mirror = mirror_for(asked.mirror, asked.inventory)
        return [_one(project, environment, machine, mirror) for machine in dict.fromkeys(locked)]
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select(asked.hosts)
    mirror = mirror_for(asked.mirror, asked.inventory) if asked.mirror else hosts[0].mirror
    found = machines_of_hosts(hosts, workspace, asked)
    return [_one(workspace.project, environment, machine, mirror) for machine in found]


def _one(project: Project, environment: ProjectEnvironment, machine: Machine, mirror: Mirror | None) -> Wanted:
    variant, file = environment.variant(gpu=machine.cuda != "none")
    return Wanted(file, variant, load_spec(file, project.name, project.root), machine, mirror)


def _machine(asked: argparse.Namespace) -> Machine:
    plain = Machine()
    try:
        return Machine(
            asked.platform or plain.platform,
            asked.cuda or plain.cuda,
            asked.glibc or plain.glibc,
            asked.archspec or plain.archspec,
        )
    except ValueError as error:
        raise UsageError(str(error), hint="provision env lock --help") from None


def mirror_for(name: str | None, inventory: str | None) -> Mirror | None:
    """Return the mirror that indexes are read through: the one that is named, else the one that all hosts have."""
    here = Path.cwd()
    path = find_inventory(here, inventory, os.environ, find_root(here))
    loaded = load_inventory(path) if path is not None else EMPTY
    if name is not None:
        found = loaded.mirror(name)
        if found is None and name != "none":
            known = (*SHIPPED, *loaded.file.mirrors)
            raise UsageError(f"there is no mirror '{visible(name)[:60]}'{suggestion(name, known)}")
        return found
    used: set[Mirror | None] = set()
    for host in loaded.hosts:
        if loaded.alias_of(host) is not None:
            # What its alias says needs ssh: --mirror says it too.
            return None
        used.add(loaded.resolve(host, None).mirror)
    return used.pop() if len(used) == 1 else None


def _tell(text: str) -> None:
    print(visible(text), file=sys.stderr, flush=True)


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    options.add_hosts(words)
    options.add_inventory(words)
    words.add_argument("--from", dest="source", metavar="HOST", help="solve nothing: lock what this host has")
    words.add_argument("--environment", metavar="NAME", help="one of the project's environments (default: the first)")
    words.add_argument("--platform", metavar="NAME", help="linux-64 (default) or linux-aarch64")
    words.add_argument("--cuda", metavar="VERSION", help="what the drivers serve: 12.4; none: no GPU (default)")
    words.add_argument("--glibc", metavar="VERSION", help="the oldest C library of the hosts (default 2.28)")
    words.add_argument("--archspec", metavar="NAME", help="the least processor of the hosts, such as x86_64_v3")
    words.add_argument("--mirror", metavar="NAME", help="read the channels' and pip's indexes there")
    words.add_argument("--upgrade", action="store_true", help="take the newest versions, also where the old ones fit")
    words.add_argument("--check", action="store_true", help="write nothing; exit with 7 where a lock would change")
    options.add_output(words)
    return words.parse_args(argv)
