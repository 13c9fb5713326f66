"""`provision hosts`: what every host of the fleet is, all asked at once."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asking import Asking
from provision.cli.fleet_table import NOTHING, Row, rows_of, show
from provision.cli.open_files import forks_allowed
from provision.cli.signals import stopping
from provision.cli.workspace import Workspace, settings, through
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.errors import UsageError
from provision.events import Note
from provision.ledger.recorder import current
from provision.model.host import Expect
from provision.model.plan import Outcome, Severity
from provision.playbook.tasks.gpu import GpuTask
from provision.report.display import visible, without_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from provision.events import Emit, HostEvent
    from provision.model.facts import Facts
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.model.plan import Finding
    from provision.playbook.files import Playbook
    from provision.playbook.task import Task
    from provision.report.fold import Report
    from provision.ssh.route import Route

DESCRIPTION = """\
Show the fleet: what each host is and what is on it, read in one round trip each. Nothing is changed.
`provision hosts add` adds a host, `provision hosts install-key` ends password-only logins.
"""
EXAMPLES = """\
  provision hosts                              every host of hosts.yaml
  provision hosts train '!ali-7' --json        a group, but for one host; all that was read
  provision hosts --offline                    only what hosts.yaml says, and clouds said when last asked
  provision hosts --refresh                    clouds are asked again: a new address is known at once
  provision hosts add gpu-box 'ssh -p 31893 root@connect.example'
  provision hosts install-key gpu-box
"""


class Screen:
    """Answers Ctrl-C."""

    def say(self, text: str) -> None:
        """Show one line."""
        print(text, file=sys.stderr, flush=True)


def main(name: str, argv: list[str]) -> int:
    """Look at the hosts and show them."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory, refresh=asked.refresh, offline=asked.offline)
    if not workspace.inventory.hosts:
        raise UsageError(
            f"{workspace.inventory.path}: no hosts", hint="provision hosts add gpu-box 'ssh -p 2222 root@203.0.113.10'"
        )
    hosts = workspace.select(asked.hosts or ["all"])
    playbooks = {} if asked.offline else {host.name: _playbook(workspace, host) for host in hosts}
    report = None if asked.offline else _look(hosts, workspace, asked, playbooks)
    rows = rows_of(hosts, report, {name: prefix for name, one in playbooks.items() if (prefix := _prefix(one))})
    if asked.json:
        print(json.dumps(_document(name, rows, report, fail_fast=asked.fail_fast)))
    else:
        show(rows, sys.stdout, os.environ)
        if report is not None:
            _complain(report)
    return _exit_code(report, fail_fast=asked.fail_fast)


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument(
        "hosts", nargs="*", metavar="HOST", help="names, groups, globs (gpu-*), !not-this; none: every host"
    )
    options.add_inventory(words)
    options.add_fleet(words)
    words.add_argument(
        "--offline", action="store_true", help="connect to nothing: only what hosts.yaml says, and clouds said"
    )
    words.add_argument("--refresh", action="store_true", help="ask clouds again, however fresh their answers are")
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)


def _look(
    hosts: Sequence[Host],
    workspace: Workspace,
    asked: argparse.Namespace,
    playbooks: Mapping[str, Playbook | None],
) -> Report:
    """Ask all hosts at once and return what came of it; a host that fails is told as such."""
    from provision.report.fold import fold

    ways = {host.name: _way(workspace, host) for host in hosts}
    tasks = {host.name: _tasks(host, playbooks[host.name]) for host in hosts}
    stop = Stop()
    asking = Asking(stop)
    how = through(asking, settings(asked.host_keys))
    screen = Screen()
    screen.say(f"asking {len(hosts)} host{'s' if len(hosts) > 1 else ''}: {_some([host.name for host in hosts])}")

    def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        from provision.engine.converge import Converger, Goal

        def connect() -> Link:
            from provision.ssh.link import SshLink

            way = ways[host.name]
            if isinstance(way, UsageError):
                raise way
            return SshLink(way, how)

        goal = Goal("plan", tasks[host.name], host.state_dir, host.workdir, holder="")
        outcome = Converger(goal, connect, emit, stop).run()
        # The list shows what is thought of a host, and fails only where a host does not answer.
        return (Outcome.CONVERGED if outcome is Outcome.UNFIT else outcome), ()

    events: list[HostEvent] = []
    with stopping(stop, screen):
        asking.begin(nullcontext)
        for event in run_fleet(
            hosts, work, stop, forks=forks_allowed(asked.forks, len(hosts)), fail_fast=asked.fail_fast
        ):
            events.append(event)
            if isinstance(event.event, Note):
                # Notes about keys name their host themselves, as a jump host's do.
                text = without_name(event.event.text, event.host)
                screen.say(visible(f"{event.host}: {text}"))
    report = fold("hosts", [host.name for host in hosts], events)
    recorded = current()
    if recorded is not None:
        recorded.take(report)
    return report


def _way(workspace: Workspace, host: Host) -> Route | UsageError:
    try:
        return workspace.route(host)
    except UsageError as error:
        return error


def _playbook(workspace: Workspace, host: Host) -> Playbook | None:
    from provision.playbook.files import load_playbook

    try:
        return load_playbook(host.playbook, workspace.project.root)
    except UsageError:
        return None  # `plan` says what is wrong with it


def _prefix(playbook: Playbook | None) -> str | None:
    """Return the conda that a playbook names."""
    from provision.playbook.options import MinicondaOptions

    options = [task.options for task in playbook.tasks] if playbook is not None else []
    return next((one.prefix for one in options if isinstance(one, MinicondaOptions)), None)


def _tasks(host: Host, playbook: Playbook | None) -> tuple[Task, ...]:
    """Return what the host's GPUs are judged by; nothing where its playbook does not speak of GPUs."""
    if playbook is None:
        return ()
    judged = host.expect != Expect() or any(task.kind == "gpu" for task in playbook.tasks)
    prefix = _prefix(playbook)
    return (_Conda(host.expect, prefix, judged=judged),) if judged or prefix else ()


@dataclass(frozen=True, slots=True)
class _Conda(GpuTask):
    """Asks for the playbook's conda too, wherever that is, and judges GPUs where they are spoken of."""

    prefix: str | None
    judged: bool

    def asks(self) -> Iterable[str]:
        return (f"conda={self.prefix}",) if self.prefix else ()

    def judge(self, facts: Facts) -> Iterable[Finding]:
        return GpuTask.judge(self, facts) if self.judged else ()


def _complain(report: Report) -> None:
    """Say what is behind a bad word in the table."""
    for one in report.hosts.values():
        for finding in one.findings:
            if finding.severity is Severity.ERROR:
                print(visible(f"{one.name}: {finding.code}: {finding.message}"), file=sys.stderr)
                if finding.fix:
                    _tell_fix(finding.fix)
        if one.error is not None:
            print(visible(f"{one.name}: {without_name(one.error.message, one.name)}"), file=sys.stderr)
            if one.error.hint:
                _tell_fix(one.error.hint)


def _tell_fix(fix: str) -> None:
    from provision.report.findings import fix_lines
    from provision.report.style import style_for

    for line in fix_lines(fix, style_for(sys.stderr, os.environ)):
        print(f"  {line}", file=sys.stderr)


def _exit_code(report: Report | None, *, fail_fast: bool) -> int:
    from provision.report.exit_code import exit_code

    return 0 if report is None else exit_code(report, fail_fast=fail_fast)


def _document(name: str, rows: Sequence[Row], report: Report | None, *, fail_fast: bool) -> dict[str, Any]:
    """Return the document of every command, with what hosts.yaml says of each host besides."""
    from provision.report.document import SCHEMA_VERSION, document

    nothing: dict[str, Any] = {"outcome": "skipped", "steps": [], "findings": [], "facts": None, "error": None}
    if report is None:
        found: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "command": name,
            "exit_code": 0,
            "hosts": {row.name: nothing for row in rows},
        }
    else:
        found = document(report, name, fail_fast=fail_fast)
    for row in rows:
        # The list does not fail because of an unfit host; each one's own outcome is what it is.
        outcome = {"outcome": Outcome.UNFIT.value} if row.unfit else {}
        found["hosts"][row.name] = {**found["hosts"][row.name], **_said(row), **outcome}
    return found


def _said(row: Row) -> dict[str, Any]:
    host = row.host
    return {
        "address": host.address,
        "port": host.port,
        "user": host.user,
        "groups": list(host.groups),
        "playbook": host.playbook,
        "cloud": None if host.provider is None else asdict(host.provider),
        "verdict": None if row.verdict == NOTHING else row.verdict,
    }


def _some(names: Sequence[str]) -> str:
    most = 8
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most} more"
