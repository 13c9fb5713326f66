"""Asks hosts something: many at once, each over a connection of its own."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Generic, TypeVar

from provision.cli.asking import Asking
from provision.cli.open_files import forks_allowed
from provision.cli.secrecy import secrets_of
from provision.cli.signals import stopping
from provision.cli.workspace import settings, through
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.events import HostFinished, LinkLost, Note
from provision.ledger.recorder import current
from provision.model.plan import Outcome
from provision.report.display import one_line
from provision.report.fold import Report
from provision.report.link_text import link_lost
from provision.report.log import RunLog
from provision.ssh.early import dial_early

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from provision.cli.workspace import Workspace
    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link

T = TypeVar("T")
FORKS = 32
"""Hosts that are asked at once."""


class AskedHosts(Generic[T]):
    """What some hosts said, and which of them could not be asked."""

    def __init__(self, name: str, argv: list[str], asked: argparse.Namespace, workspace: Workspace) -> None:
        self._name = name
        self._argv = argv
        self._asked = asked
        self._workspace = workspace
        self.stop = Stop()
        self.answers: dict[str, T] = {}
        self.failed: dict[str, HostFinished] = {}
        self.says: Callable[[str], None] = _tell
        self.quiet: Callable[[], AbstractContextManager[None]] = nullcontext
        """Keeps the screen still while somebody is asked something."""

    def ask(
        self, hosts: Sequence[Host], work: Callable[[Link, Host, Emit], T], pressed: str = "stopping"
    ) -> dict[str, T]:
        """Do `work` on each host; return what came of it. `pressed` is what Ctrl-C is answered with."""
        asking = Asking(self.stop)
        how = through(asking, settings(self._asked.host_keys))
        routes = {host.name: self._workspace.route(host) for host in hosts}
        forks = forks_allowed(FORKS, len(hosts))
        dial_early(routes.values(), forks)
        log = RunLog.open(self._name, self._argv, os.environ, secrets=secrets_of(hosts))

        def one(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
            from provision.ssh.link import SshLink

            link = SshLink(routes[host.name], how)
            try:
                for text in link.notes:
                    emit(Note(text))
                self.answers[host.name] = work(link, host, emit)
            finally:
                link.close()
            return Outcome.CONVERGED, ()

        report = Report(self._name, [host.name for host in hosts])
        recorded = current()
        if recorded is not None:
            recorded.take(report)

        with stopping(self.stop, _Pressed(self.says, pressed)):
            asking.begin(self.quiet)
            for told in run_fleet(hosts, one, self.stop, forks=forks, fail_fast=False):
                log.take(told)
                report.take(told)
                if isinstance(told.event, Note):
                    self.says(f"note: {one_line(told.event.text)}")
                elif isinstance(told.event, LinkLost):
                    self.says(link_lost(told.event.reason, told.host))
                elif isinstance(told.event, HostFinished) and told.event.failure is not None:
                    self.failed[told.host] = told.event
        log.close()
        # As the inventory has them, not as they came.
        return {host.name: self.answers[host.name] for host in hosts if host.name in self.answers}

    def complain(self) -> None:
        """Tell which hosts could not be asked, and why."""
        for host, finished in self.failed.items():
            failure = finished.failure
            if failure is not None:
                self.says(f"{one_line(host)}: {finished.outcome.value}: {one_line(failure.message)}")
                if failure.hint:
                    self.says(f"  -> {one_line(failure.hint)}")

    def exit_code(self) -> int:
        """Return 0, or the code of what went wrong: 130 first, then the lowest."""
        codes = {one.failure.exit_code for one in self.failed.values() if one.failure is not None}
        return 130 if 130 in codes else min(codes, default=0)  # noqa: PLR2004 - Ctrl-C


class _Pressed:
    def __init__(self, says: Callable[[str], None], text: str) -> None:
        self._says = says
        self._text = text

    def say(self, text: str) -> None:
        """Say what Ctrl-C does here."""
        if self._text:
            self._says(text if "now" in text else self._text)


def _tell(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody reads it: the work goes on
