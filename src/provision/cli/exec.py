"""The command `exec`: one command on many hosts at once, each line with its host's name."""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asking import Asking
from provision.cli.open_files import forks_allowed
from provision.cli.secrecy import secrets_of
from provision.cli.signals import stopping
from provision.cli.workspace import Workspace, settings, through
from provision.engine.everywhere import run_everywhere
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.errors import InterruptedRunError, UsageError
from provision.events import HostFinished, Note
from provision.ledger.recorder import current
from provision.model.plan import Outcome
from provision.report.display import one_line, output_line, visible
from provision.report.fold import Report

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


KEPT = 16 << 20
"""Characters of each stream of a host that the JSON document has at most: the last ones."""


class Screen:
    """Prints lines of many hosts without mixing them."""

    def __init__(self, hosts: list[str], *, as_json: bool) -> None:
        self._width = max(map(len, hosts)) if len(hosts) > 1 else 0
        self._lock = threading.Lock()
        self.unread = False
        """Whether the reader of our output went away."""
        self.kept = {host: {"stdout": Kept(), "stderr": Kept()} for host in hosts} if as_json else {}

    def show(self, host: str, name: str, lines: list[str]) -> None:
        """Print lines of a host, or keep them for the document."""
        if self.kept:
            self.kept[host][name].add(lines)
            return
        stream = sys.stdout if name == "stdout" else sys.stderr
        head = f"{host:<{self._width}} | " if self._width else ""
        safe = output_line if stream.isatty() else _kept_apart
        with self._lock:
            try:
                stream.write("".join(f"{head}{safe(line)}\n" for line in lines))
                stream.flush()
            except BrokenPipeError as error:
                self.unread = True
                raise InterruptedRunError("nobody reads the output any more") from error

    def say(self, text: str, host: str | None = None) -> None:
        """Tell the user something about the run, or about a host."""
        head = "" if host is None or text.startswith(f"{host}: ") else f"{host}: "
        with self._lock:
            print(f"{head}{visible(text)}", file=sys.stderr, flush=True)


class Kept:
    """The last lines of a stream, as many as fit."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque()
        self.cut = False
        self._size = 0

    def add(self, lines: list[str]) -> None:
        """Take lines, and drop the first ones where they get too many."""
        self.lines.extend(lines)
        self._size += sum(len(line) + 1 for line in lines)
        while self._size > KEPT:
            self._size -= len(self.lines.popleft()) + 1
            self.cut = True


class Pressed(Stop):
    """Ctrl-C: ends the commands that run and begins no more; a failed host (--fail-fast) only begins no more."""

    def __init__(self, fleet: Stop, screen: Screen) -> None:
        super().__init__()
        self._fleet = fleet
        self._screen = screen

    def ask(self) -> bool:
        """Ask the fleet as well."""
        self._fleet.ask()
        return super().ask()

    def say(self, text: str) -> None:
        """Say what Ctrl-C does here instead of what it does in a run of steps."""
        del text
        self._screen.say("stopping: the hosts are asked to end the command")


def _kept_apart(line: str) -> str:
    """Return a line for a file or a pipe: tabs and trailing blanks are data there, control characters stay shown."""
    return "\t".join(map(one_line, line.split("\t")))


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
    stop = Stop()
    screen = Screen([host.name for host in hosts], as_json=asked.json)
    pressed = Pressed(stop, screen)
    asking = Asking(pressed)
    how = through(asking, settings(asked.host_keys))
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
                stop=pressed,
                show=lambda name, lines: screen.show(host.name, name, lines),
                env=host.env,
            )
        finally:
            link.close()
        return (Outcome.CHANGED if codes[host.name] == 0 else Outcome.FAILED), ()

    report = Report(name, [host.name for host in hosts])
    recorded = current()
    if recorded is not None:
        recorded.hide(secrets_of(hosts))
        recorded.take(report)

    with stopping(pressed, pressed):
        asking.begin(nullcontext)
        for event in run_fleet(
            hosts, work, stop, forks=forks_allowed(asked.forks, len(hosts)), fail_fast=asked.fail_fast
        ):
            report.take(event)
            if isinstance(event.event, Note):
                screen.say(event.event.text, event.host)
            if screen.unread:
                raise BrokenPipeError
            if isinstance(event.event, HostFinished) and event.event.failure is not None:
                failures[event.host] = event.event
                _complain(screen, event.host, event.event)
    # Hosts that --fail-fast left out were not interrupted by anybody.
    counted = [one for one in failures.values() if pressed.asked or one.outcome is not Outcome.SKIPPED]
    code = _exit_code(codes, counted, len(hosts))
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
        screen.say(failure.message, host)
        if failure.hint:
            screen.say(f"  -> {failure.hint}")


def _exit_code(codes: dict[str, int], failures: list[HostFinished], total: int) -> int:
    if total == 1 and codes:
        return next(iter(codes.values()))
    own = {one.failure.exit_code for one in failures if one.failure is not None}
    if any(codes.values()):
        own.add(4)
    return next((one for one in (130, 1, 3, 4, 5, 6) if one in own), 0)


def _document(screen: Screen, codes: dict[str, int], failures: dict[str, HostFinished], code: int) -> dict[str, Any]:
    hosts: dict[str, Any] = {}
    for host, streams in screen.kept.items():
        failure = failures[host].failure if host in failures else None
        hosts[host] = {
            "outcome": failures[host].outcome.value if failure else ("changed" if codes.get(host) == 0 else "failed"),
            "exit_code": codes.get(host),
            "stdout": list(streams["stdout"].lines),
            "stderr": list(streams["stderr"].lines),
            "cut": any(one.cut for one in streams.values()),
            "error": {"kind": failure.kind, "message": failure.message, "hint": failure.hint} if failure else None,
        }
    return {"schema_version": 1, "command": "exec", "exit_code": code, "hosts": hosts}
