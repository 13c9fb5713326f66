"""The command `power`: starts rented machines, and stops them; nothing is ever terminated."""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.workspace import Workspace
from provision.clouds.power import Machine
from provision.engine.job_ask import ask
from provision.engine.job_talk import understood
from provision.errors import BusyError, ProvisionError, StepFailedError, UsageError
from provision.jobs.listing import Listed, listed_of
from provision.ledger.recorder import current
from provision.report.amounts import counted
from provision.report.display import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from provision.clouds.instance import Instance
    from provision.events import Emit
    from provision.ledger.rows import HostRun
    from provision.model.host import Host
    from provision.model.link import Link

DESCRIPTION = """\
Start rented machines (`on`), or stop them (`off`), and wait until their cloud says that it is so. A host that was found
by a source, or whose `provider` names cloud, region and instance, can be meant. Nothing is ever terminated.

`off` refuses while a job runs or waits there, or where the host cannot be asked; --force stops it all the same.
"""
EXAMPLES = """\
  provision power on gpu-box
  provision power off 'ali-*' --yes
  provision power off gpu-box --when-idle 30m --yes            waits here, then stops it
  provision power off gpu-box --when-idle 30m --on-host --yes  it waits itself, also with the laptop closed
  provision power off gpu-box --force     though it cannot be asked for its jobs, or has some
"""
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one host."""

    instance: Instance | None
    failure: ProvisionError | None = None


def main(name: str, argv: list[str]) -> int:
    """Run `power on` or `power off`."""
    asked = _parse(name, argv)
    action = asked.action
    workspace = Workspace.open(asked.inventory, refresh=True)
    hosts = workspace.select(asked.hosts)
    if asked.when_idle is not None:
        return _when_idle(f"{name} {action}", argv, asked, workspace, hosts)
    # Every host is judged before any is touched.
    machines = [Machine(host) for host in hosts]
    if action == "off":
        _check_jobs(f"{name} {action}", argv, asked, workspace, machines)
        _agree(asked, hosts)
    done = _all(machines, action)
    # What is kept of the clouds has the old states and addresses.
    if any(one.instance for one in done.values()) and workspace.inventory.has_sources:
        Workspace.open(asked.inventory, refresh=True)
    return _tell(f"{name} {action}", asked, hosts, done)


def _when_idle(
    name: str, argv: list[str], asked: argparse.Namespace, workspace: Workspace, hosts: tuple[Host, ...]
) -> int:
    from provision.cli.power_idle import arm, idle_hosts, idle_seconds

    seconds = idle_seconds(asked.when_idle)
    if asked.on_host:
        if seconds:
            _agree(asked, hosts, "let them stop by themselves")
        return arm(name, argv, asked, workspace, hosts, seconds=seconds)
    if not seconds:
        raise UsageError(
            "--when-idle never disarms what --on-host armed",
            hint="provision power off HOST --when-idle never --on-host",
        )
    # Judged and agreed to at once: nobody may be there when the time comes.
    machines = {host.name: Machine(host) for host in hosts}
    _agree(asked, hosts)
    done: dict[str, Done] = {}
    for ripe in idle_hosts(name, argv, asked, workspace, hosts, seconds=seconds):
        done |= _all([machines[one.name] for one in ripe], "off")
    return _tell(name, asked, hosts, done)


def _check_jobs(
    name: str, argv: list[str], asked: argparse.Namespace, workspace: Workspace, machines: list[Machine]
) -> None:
    """Refuse where a job would end with its host.

    Raises:
        BusyError: a job runs or waits; nothing was stopped.
        UsageError: a host cannot be asked.
    """
    if asked.force:
        return
    running = tuple(one.host for one in machines if one.look().state == "running")
    asking: AskedHosts[Listed] = AskedHosts(name, argv, asked, workspace)

    def work(link: Link, host: Host, emit: Emit) -> Listed:
        answer = ask(link, host, {"what": "list"}, emit, asking.stop)
        with understood():
            return listed_of(answer)

    asking.ask(running, work)
    for host, listed in asking.answers.items():
        held = [one for one in listed.jobs if one.state.state in {"running", "queued"}]
        if held:
            names = ", ".join(f"{one.record.id} ({one.state.state})" for one in held[:3])
            raise BusyError(
                one_line(f"{host} has {counted(len(held), 'job')} that would end: {names}; nothing was stopped"),
                hint=f"provision stop {held[0].record.id}, or --force",
            )
    if asking.failed:
        asking.complain()
        raise UsageError(
            f"{one_line(next(iter(asking.failed)))} cannot be asked whether jobs run there; nothing was stopped",
            hint="--force stops it all the same",
        )


def _agree(asked: argparse.Namespace, hosts: tuple[Host, ...], what: str = "stop") -> None:
    if asked.yes:
        return
    names = ", ".join(one.name for one in hosts)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"nothing was stopped: nobody can be asked about {one_line(names)}", hint="--yes stops")
    print(one_line(f"{what}: {names}? [y/N] "), end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was stopped")


def start_all(hosts: Sequence[Host]) -> dict[str, Done]:
    """Start machines at once and say how far each is; what failed is in what is returned.

    Raises:
        UsageError: one is no machine of a cloud.
    """
    return _all([Machine(host) for host in hosts], "on")


def _all(machines: list[Machine], action: str) -> dict[str, Done]:
    printing = threading.Lock()

    def one(machine: Machine) -> Done:
        last = ""

        def far(state: str) -> None:
            nonlocal last
            if state != last:
                last = state
                with printing:
                    print(one_line(f"{machine.host.name}: {state}"), file=sys.stderr, flush=True)

        try:
            return Done(machine.start(far) if action == "on" else machine.stop(far))
        except ProvisionError as error:
            return Done(None, error)

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return dict(zip((one.host.name for one in machines), pool.map(one, machines), strict=True))


def _tell(name: str, asked: argparse.Namespace, hosts: tuple[Host, ...], done: dict[str, Done]) -> int:
    recorded = current()
    if recorded is not None:
        recorded.add(lambda: _seen(recorded.id, hosts, done))
    failed = [one for one in done.values() if one.failure is not None]
    code = max((one.failure.exit_code for one in failed if one.failure), default=0)
    code = StepFailedError.exit_code if code == 1 else code
    for host in hosts:
        one = done[host.name]
        if one.failure is not None:
            print(one_line(f"{host.name}: {one.failure.message}"), file=sys.stderr)
            if one.failure.hint:
                print(one_line(f"  {one.failure.hint}"), file=sys.stderr)
        elif one.instance is not None and not asked.json:
            print(one_line(f"{host.name}: {_stands(one.instance)}"))
    if asked.json:
        told = {host.name: _document(done[host.name]) for host in hosts}
        print(json.dumps({"schema_version": 1, "command": name, "exit_code": code, "hosts": told}, indent=2))
    return code


def _seen(run: str, hosts: tuple[Host, ...], done: dict[str, Done]) -> Iterator[HostRun]:
    from provision.ledger.rows import HostRun

    for host in hosts:
        failure = done[host.name].failure
        outcome, error = ("failed", failure.message) if failure else ("changed", None)
        now = time.time()
        yield HostRun(run, host.name, host.target, now, now, outcome, error, None, failure is None)


def _stands(one: Instance) -> str:
    if one.state == "running":
        return f"running at {one.address('auto')}" if one.address("auto") else "running, without an address yet"
    billed = "; its cloud bills it all the same" if one.billed_when_stopped else ""
    return f"{one.state}; its disks are still billed{billed}"


def _document(one: Done) -> dict[str, Any]:
    error = one.failure and {"kind": one.failure.kind, "message": one.failure.message, "hint": one.failure.hint}
    return {
        "outcome": "failed" if one.failure else "changed",
        "state": one.instance and one.instance.state,
        "address": one.instance and one.instance.address("auto"),
        "error": error,
    }


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("action", choices=("on", "off"), help="start them, or stop them")
    words.add_argument("hosts", nargs="+", metavar="HOST", help="names, groups, globs (ali-*), !not-this, or all")
    words.add_argument(
        "--when-idle", metavar="TIME", help="off: wait until no job, step or GPU process was there for so long: 30m"
    )
    words.add_argument(
        "--on-host",
        action="store_true",
        help="with --when-idle: the machine waits, and shuts itself down; `never` ends it",
    )
    words.add_argument("--yes", action="store_true", help="do not ask")
    words.add_argument("--force", action="store_true", help="stop it though jobs run there, or nobody can tell")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    asked: argparse.Namespace = words.parse_args(argv)
    if asked.when_idle is not None and asked.action == "on":
        raise UsageError("--when-idle belongs to `power off`")
    if asked.on_host and asked.when_idle is None:
        raise UsageError(
            "--on-host says who waits: give --when-idle TIME too", hint="for instance --when-idle 30m --on-host"
        )
    return asked
