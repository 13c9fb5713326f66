"""The command `exec`: one command on many hosts at once, each line with its host's name."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.signals import stopping
from provision.cli.workspace import Workspace, settings
from provision.engine.everywhere import Line, run_everywhere
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.errors import UsageError
from provision.events import HostFinished, Note
from provision.model.plan import Outcome
from provision.report.display import output_line, visible

if TYPE_CHECKING:
    import argparse

    from provision.events import Emit
    from provision.model.host import Host

DESCRIPTION = """\
Run a command on hosts, at most --forks at once, each line prefixed by its host. The words after -- reach the host
exactly as typed; a single word is read by the host's sh, so pipes and variables work there. The command gets no stdin.
On one host its exit code is passed on; on several, 4 if any failed.
"""
EXAMPLES = """\
  provision exec gpu-box -- nvidia-smi
  provision exec 'gpu-*' -- 'df -h ~ | tail -1'
  provision exec all --json -- uptime
"""
DAY = 86400.0


class Screen:
    """Prints lines of many hosts without mixing them."""

    def __init__(self, hosts: list[str], *, as_json: bool) -> None:
        self._width = max(map(len, hosts)) if len(hosts) > 1 else 0
        self._json = as_json
        self._lock = threading.Lock()
        self.lines: dict[str, list[Line]] = {host: [] for host in hosts}

    def show(self, host: str, line: Line) -> None:
        """Print a line, or keep it for the document."""
        if self._json:
            self.lines[host].append(line)
            return
        stream = sys.stdout if line.stream == "stdout" else sys.stderr
        head = f"{host:<{self._width}} | " if self._width else ""
        with self._lock:
            print(f"{head}{output_line(line.text)}", file=stream, flush=True)

    def say(self, text: str) -> None:
        """Tell the user something about the run."""
        with self._lock:
            print(text, file=sys.stderr, flush=True)


def main(name: str, argv: list[str]) -> int:
    """Run the command everywhere and return the exit code."""
    at = argv.index("--") if "--" in argv else len(argv)
    asked = _parse(name, argv[:at])
    command = tuple(argv[at + 1 :])
    if not command:
        raise UsageError("no command: it follows --", hint="provision exec HOSTS -- COMMAND")
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select(asked.hosts)
    routes = {host.name: workspace.route(host) for host in hosts}
    how = settings(asked.host_keys)
    stop = Stop()
    screen = Screen([host.name for host in hosts], as_json=asked.json)
    codes: dict[str, int] = {}
    failures: dict[str, HostFinished] = {}

    def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        from provision.ssh.link import SshLink

        link = SshLink(routes[host.name], how)
        try:
            for note in link.notes:
                emit(Note(note))
            codes[host.name] = run_everywhere(
                link,
                command,
                timeout=asked.timeout or DAY,
                stop=stop,
                show=lambda line: screen.show(host.name, line),
            )
        finally:
            link.close()
        return (Outcome.CHANGED if codes[host.name] == 0 else Outcome.FAILED), ()

    with stopping(stop, screen):
        for event in run_fleet(hosts, work, stop, forks=asked.forks, fail_fast=asked.fail_fast):
            if isinstance(event.event, Note):
                screen.say(f"{event.host}: {visible(event.event.text)}")
            if isinstance(event.event, HostFinished) and event.event.failure is not None:
                failures[event.host] = event.event
                _complain(screen, event.host, event.event)
    code = _exit_code(codes, failures, len(hosts))
    if asked.json:
        print(json.dumps(_document(screen, codes, failures, code)))
    return code


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    options.add_hosts(words)
    options.add_inventory(words)
    options.add_fleet(words)
    options.add_output(words)
    words.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="give up waiting after so long (default: a day)"
    )
    return words.parse_args(argv)


def _complain(screen: Screen, host: str, finished: HostFinished) -> None:
    failure = finished.failure
    if failure is not None:
        screen.say(f"{host}: {visible(failure.message)}")
        if failure.hint:
            screen.say(f"  -> {visible(failure.hint)}")


def _exit_code(codes: dict[str, int], failures: dict[str, HostFinished], total: int) -> int:
    if total == 1 and codes:
        return next(iter(codes.values()))
    own = {one.failure.exit_code for one in failures.values() if one.failure is not None}
    if any(codes.values()):
        own.add(4)
    return next((one for one in (130, 1, 3, 4, 5, 6) if one in own), 0)


def _document(screen: Screen, codes: dict[str, int], failures: dict[str, HostFinished], code: int) -> dict[str, Any]:
    hosts: dict[str, Any] = {}
    for host, lines in screen.lines.items():
        failure = failures[host].failure if host in failures else None
        hosts[host] = {
            "outcome": failures[host].outcome.value if failure else ("changed" if codes.get(host) == 0 else "failed"),
            "exit_code": codes.get(host),
            "stdout": [visible(one.text) for one in lines if one.stream == "stdout"],
            "stderr": [visible(one.text) for one in lines if one.stream == "stderr"],
            "error": {"kind": failure.kind, "message": failure.message, "hint": failure.hint} if failure else None,
        }
    return {"schema_version": 1, "command": "exec", "exit_code": code, "hosts": hosts}
