"""The kinds of machines that locks are made for: as hosts say what they are, or as locks were made before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.cli.asked_hosts import AskedHosts
from provision.environment.lock import NO_CUDA
from provision.errors import BadFileError, UnreachableError, UsageError
from provision.remote import catalogue
from provision.solving.lock import machine_of
from provision.solving.lock_files import lock_paths, machine_said, read_lock
from provision.solving.machine import GLIBC, Machine

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from provision.cli.workspace import Workspace
    from provision.environment.lock import Lock
    from provision.events import Emit
    from provision.model.facts import Facts
    from provision.model.host import Host
    from provision.model.link import Link

PLATFORMS = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}


def machines_of_locks(locks: Iterable[Lock]) -> list[Machine]:
    """Return the machines that locks were made for.

    Raises:
        UsageError: a lock names a machine that there is not.
    """
    found = []
    for lock in locks:
        try:
            found.append(machine_of(lock))
        except ValueError as error:
            raise UsageError(f"{lock.source}: {error}", hint="remove it and lock again") from None
    return list(dict.fromkeys(found))


def machines_of_files(environment: Path, tell: Callable[[str], None]) -> list[Machine]:
    """Return the machines of the locks beside an environment file; one that is damaged is told, and counts as well.

    Raises:
        UsageError: a lock names a machine that there is not.
    """
    found: list[Machine] = []
    for path in lock_paths(environment):
        try:
            found += machines_of_locks([read_lock(path)])
        except BadFileError as error:
            platform, cuda, glibc, processor = machine_said(path)
            try:
                machine = Machine(platform, cuda, glibc or GLIBC, "" if processor in PLATFORMS else processor)
            except ValueError:
                raise UsageError(str(error), hint=f"remove {path.name}, and lock again") from None
            tell(f"{error}: it is made anew, for {machine.shown}")
            found.append(machine)
    return list(dict.fromkeys(found))


def machines_of_hosts(hosts: Sequence[Host], workspace: Workspace, asked: argparse.Namespace) -> list[Machine]:
    """Ask hosts what they are, and return the least machine of each kind: one for each platform and major CUDA.

    Raises:
        UsageError: a host is of no platform that conda has.
        UnreachableError: a host was not reached; nothing is locked for half of a fleet.
    """
    asking: AskedHosts[Facts] = AskedHosts("env", list(asked.hosts), asked, workspace)

    def work(link: Link, host: Host, emit: Emit) -> Facts:
        del emit
        from provision.facts import parse

        done = link.run(catalogue.probe((f"state_dir={host.state_dir}", f"workdir={host.workdir}")))
        return parse(done.stdout)

    answers = asking.ask(hosts, work)
    asking.complain()
    if asking.failed:
        names = ", ".join(sorted(asking.failed))
        raise UnreachableError(
            f"nothing was locked: {names} did not say what kind of host it is",
            hint="leave it out, or give --platform and --cuda",
        )
    kinds: dict[tuple[str, str], list[Machine]] = {}
    for host in hosts:
        machine = _machine(host, answers[host.name])
        kinds.setdefault((machine.platform, machine.cuda.partition(".")[0]), []).append(machine)
    return [_least(one) for _, one in sorted(kinds.items())]


def _machine(host: Host, facts: Facts) -> Machine:
    platform = PLATFORMS.get(facts.system.architecture)
    if platform is None or facts.system.libc == "musl":
        raise UsageError(f"{host.name}: conda has nothing for {facts.system.architecture} with {facts.system.libc}")
    return Machine(platform, _cuda(host, facts), facts.system.glibc or GLIBC)


def _cuda(host: Host, facts: Facts) -> str:
    from provision.playbook.tasks.environment.request import cuda_of, kind_of

    return cuda_of(facts, host.expect) if kind_of(facts, host.expect) == "gpu" else NO_CUDA


def _least(machines: Sequence[Machine]) -> Machine:
    """Return what all of them can do."""
    return Machine(
        machines[0].platform,
        min((one.cuda for one in machines), key=_numbers),
        min((one.glibc for one in machines), key=_numbers),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", version))
