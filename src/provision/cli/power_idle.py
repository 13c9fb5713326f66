"""`power off --when-idle`: machines that have had no work for a while are stopped, from here or by themselves."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.cli.asked_hosts import AskedHosts
from provision.clouds.power import CLOUDS, Machine
from provision.errors import InterruptedRunError, StepFailedError, UnfitError, UsageError
from provision.remote import catalogue
from provision.report.display import one_line
from provision.schedule.timetable import amount_text, parse_amount

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from provision.cli.workspace import Workspace
    from provision.events import Emit
    from provision.model.facts import Facts
    from provision.model.host import Host
    from provision.model.link import Link

OFF = "never"
LEAST = 60
BETWEEN = 60.0
"""Seconds between two looks."""
LONGEST_COMMAND = 120.0
NOT_THERE, MAY_NOT = 69, 77


def idle_seconds(text: str) -> int:
    """Return the seconds of ``30m``; 0 for ``never``.

    Raises:
        UsageError: it is no time, or too short to tell idleness from a pause.
    """
    if text == OFF:
        return 0
    seconds = parse_amount(text)
    if seconds < LEAST:
        raise UsageError(f"--when-idle {text}: a minute is the least that tells idleness from a pause")
    return seconds


def work_of(facts: Facts) -> str | None:
    """Return what a host has to do; None: nothing."""
    if facts.jobs:
        return f"job {facts.jobs[0]}"
    if facts.step_lock.held:
        return "a step of provision"
    return f"{len(facts.gpu.processes)} processes on the GPUs" if facts.gpu.processes else None


@dataclass
class Idle:
    """How long each host has had no work."""

    seconds: int
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._since: dict[str, float] = {}

    def ripe(self, host: str, work: str | None) -> bool:
        """Take what was seen of a host just now; return whether it has been idle for long enough."""
        now = self.clock()
        if work is not None:
            self._since.pop(host, None)
            return False
        return now - self._since.setdefault(host, now) >= self.seconds


def idle_hosts(
    name: str, argv: list[str], asked: argparse.Namespace, workspace: Workspace, hosts: Sequence[Host], *, seconds: int
) -> Iterator[tuple[Host, ...]]:
    """Yield hosts as soon as they have been idle for so long, until each one was; a busy one is waited for.

    Raises:
        UsageError: a host cannot be asked, so nobody knows whether it works.
        InterruptedRunError: Ctrl-C.
    """
    idle, told, left = Idle(seconds), dict.fromkeys((one.name for one in hosts), ""), tuple(hosts)
    while left:
        asking: AskedHosts[Facts] = AskedHosts(name, argv, asked, workspace)
        found = asking.ask(left, _look)
        if asking.stop.asked:
            raise InterruptedRunError("stopped waiting on request")
        if asking.failed:
            asking.complain()
            raise UsageError(f"{one_line(next(iter(asking.failed)))} cannot be asked whether it works")
        ripe = tuple(one for one in left if idle.ripe(one.name, work_of(found[one.name])))
        for one in left:
            says = work_of(found[one.name]) or f"idle; it is stopped once that was so for {amount_text(seconds)}"
            if says != told[one.name]:
                told[one.name] = says
                _tell(f"{one.name}: {says}")
        if ripe:
            yield ripe
            left = tuple(one for one in left if one not in ripe)
        else:
            time.sleep(BETWEEN)


def arm(
    name: str, argv: list[str], asked: argparse.Namespace, workspace: Workspace, hosts: Sequence[Host], *, seconds: int
) -> int:
    """Let hosts stop themselves, or not any more; return the exit code.

    Raises:
        UsageError: a machine would be terminated by that.
    """
    if seconds:
        for one in hosts:
            _check_stays(one)
    asking: AskedHosts[str] = AskedHosts(name, argv, asked, workspace)

    def work(link: Link, host: Host, emit: Emit) -> str:
        facts = _look(link, host, emit)
        if seconds and facts.system.sudo not in {"root", "nopasswd"}:
            raise UnfitError(
                f"{facts.system.user} may not shut {host.name} down",
                hint="give it sudo without a password for `shutdown`, or leave out --on-host",
            )
        done = link.run(catalogue.idle_stop(facts.state_dir, seconds, sudo=facts.system.sudo != "root", pause=BETWEEN))
        if done.code != 0:
            why = {NOT_THERE: "there is no `shutdown`", MAY_NOT: "sudo asks for a password"}
            raise StepFailedError(f"{host.name}: {why.get(done.code or 0, 'it cannot be armed')}")
        return done.stdout.decode("utf-8", "replace").strip()

    answers = asking.ask(hosts, work)
    for host in hosts:
        if host.name in answers:
            print(one_line(f"{host.name}: {_armed(host, seconds)}"))
    asking.complain()
    return asking.exit_code()


def _armed(host: Host, seconds: int) -> str:
    if not seconds:
        return "does not stop itself any more"
    cloud = host.provider.cloud if host.provider else None
    bills = {
        "aliyun": "; Aliyun bills a machine that shut itself down as if it ran, unless economical mode is its default",
        "aws": "",
        "gcp": "",
    }.get(cloud or "", "; whether its provider stops billing then, only that can say")
    return f"stops itself once it was idle for {amount_text(seconds)}, until it is started again{bills}"


def _check_stays(host: Host) -> None:
    if host.provider is None or host.provider.cloud not in CLOUDS or not host.provider.instance:
        return
    if Machine(host).ends_when_shut_down():
        raise UsageError(
            f"{host.name} would be terminated by a shutdown of its own: nothing was armed",
            hint="set its InstanceInitiatedShutdownBehavior to stop; or leave out --on-host",
        )


def _look(link: Link, host: Host, emit: Emit) -> Facts:
    del emit
    from provision.facts import parse

    done = link.run(catalogue.probe((f"state_dir={host.state_dir}", f"workdir={host.workdir}", "sudo=1")))
    return parse(done.stdout)


def _tell(text: str) -> None:
    print(one_line(text), file=sys.stderr, flush=True)
