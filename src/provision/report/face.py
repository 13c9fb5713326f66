"""What a user sees of a run: a live table, plain lines, or one JSON document; each is a fold over its events."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from provision.events import (
    Connected,
    HostFinished,
    HostStarted,
    LinkLost,
    Note,
    StepFinished,
    StepStarted,
    Synced,
    Waiting,
)
from provision.ledger.recorder import current
from provision.report.exit_code import exit_code
from provision.report.fold import Report
from provision.report.heartbeat import Heartbeat
from provision.report.plain import PlainLines
from provision.report.stream import Progress, same_terminal, write
from provision.report.style import rich_terminal, style_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from provision.events import HostEvent
    from provision.report.asked import Asked
    from provision.report.fold import HostReport
    from provision.report.live import LiveTable
    from provision.report.log import RunLog
    from provision.report.watch_lines import WatchLines


class Face:
    """Takes every event of a run, in the main thread, and shows progress on stderr, the result on stdout."""

    def __init__(
        self,
        command: str,
        hosts: Sequence[str],
        *,
        json: bool = False,
        verbose: bool = False,
        log: RunLog | None = None,
        dry_run: bool = False,
        pending_is_7: bool = False,
        fail_fast: bool = False,
        options: Sequence[str] = (),
        asked: Mapping[str, tuple[Asked, ...]] | None = None,
        trees: Mapping[str, str] | None = None,
        watch: bool = False,
        environ: Mapping[str, str] | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        self.report = Report(command, hosts, foresees=dry_run or command == "plan")
        self._recorded = current()
        if self._recorded is not None:
            self._recorded.take(self.report)
        self.report.options = "".join(f" {one}" for one in options)
        for name, wanted in (asked or {}).items():
            self.report.hosts[name].asked = wanted
        for name, tree in (trees or {}).items():
            self.report.hosts[name].tree = tree
        self._json = json
        self._verbose = verbose
        self._log = log
        self._log_problem_told = False
        self._pending_is_7 = pending_is_7
        self._fail_fast = fail_fast
        self._out = stdout or sys.stdout
        self._style = style_for(self._out, environ)
        self._progress = Progress(stderr or sys.stderr)
        # The plan says in a moment of which host it is; where both show on one screen, once is enough.
        told_below = self.report.foresees and command != "sync" and len(self.report.hosts) == 1 and not json
        self._lines = PlainLines(
            self.report,
            style_for(self._progress.stream, environ),
            verbose=verbose,
            targets=not (told_below and same_terminal(self._out, self._progress.stream)),
        )
        self._printing = threading.Lock()
        self._heartbeat = Heartbeat(self._beat)
        self._watched: WatchLines | None = None
        if watch:
            from provision.report.watch_lines import WatchLines

            self._watched = WatchLines(self._style)
        self._begun: set[str] = set()
        self._live: LiveTable | None = None
        if rich_terminal(self._progress.stream, environ) and not verbose and not watch:
            from provision.report.live import LiveTable

            self._live = LiveTable(self.report, self._progress.stream, environ)
        self._tell_log_problem()

    def take(self, told: HostEvent) -> None:
        """Fold, log and show one event."""
        host = self.report.take(told)
        if isinstance(told.event, Connected) and self._recorded is not None:
            # The host is at work now: nobody waits for us.
            self._recorded.begin()
        if self._log is not None:
            self._log.take(told)
            self._tell_log_problem()
        if self._watched is not None and self._show_watched(told, host):
            return
        if isinstance(told.event, StepStarted):
            (self._live or self._heartbeat).start()
        if self._live is None or self._lasting(told, host):
            with self._printing:
                for line in self._lines.lines(told, host):
                    self._show(line)

    def _show_watched(self, told: HostEvent, host: HostReport) -> bool:
        """Print what is worth a line of a watched host, and return whether it was said thereby."""
        assert self._watched is not None  # noqa: S101 - asked for where there is one
        lines = list(self._watched.lines(told, host))
        if lines:
            with self._printing:
                write(self._out, "".join(f"{line}\n" for line in lines))
        again = isinstance(told.event, HostStarted) and host.name in self._begun
        self._begun.add(host.name)
        return again or isinstance(told.event, Synced | LinkLost | Note | Waiting)

    def say(self, text: str) -> None:
        """Answer the user's Ctrl-C with one line, at once, from a signal handler too."""
        self.report.asked_to_stop = True
        if self._live is not None and self._live.shown:
            self._live.message = text
            return
        try:
            # Not through the stream: the signal may have come in the middle of a write to it.
            os.write(self._progress.stream.fileno(), f"\n{text}\n".encode("ascii", "backslashreplace"))
        except (OSError, ValueError):
            self._progress.line(text)

    def tell(self, text: str) -> None:
        """Show one line on the project itself, and keep it for the document; from any thread."""
        from provision.report.display import one_line

        self.report.notes.append(text)
        with self._printing:
            self._show(f"note: {one_line(text)}")

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Keep the live table off the screen while somebody is asked for a passphrase; from any thread."""
        if self._live is None:
            yield
            return
        self._live.hold()
        try:
            yield
        finally:
            self._live.go_on()

    def finish(self) -> Report:
        """End the display, print the result, and return the report.

        Raises:
            OSError: standard output cannot take the result.
        """
        self._heartbeat.stop()
        if self._live is not None:
            self._live.close()
        if self._log is not None:
            self._log.close()
            self._tell_log_problem()
        lines = self._document() if self._json else self._result()
        write(self._out, "".join(f"{line}\n" for line in lines))
        return self.report

    def exit_code(self) -> int:
        """Return the exit code that the document shows."""
        return exit_code(self.report, pending_is_7=self._pending_is_7, fail_fast=self._fail_fast)

    def _beat(self, now: float) -> None:
        with self._printing:
            for line in self._lines.still(now):
                self._show(line)

    def _document(self) -> Iterator[str]:
        import json

        from provision.report.document import document

        shown = document(self.report, pending_is_7=self._pending_is_7, fail_fast=self._fail_fast)
        yield json.dumps(shown, indent=2)

    def _result(self) -> Iterator[str]:
        if self.report.command == "sync":
            yield from self._sync_result()
        elif self.report.foresees:
            from provision.report.plan_text import plan_lines

            yield from plan_lines(self.report, self._style)
        else:
            from provision.report.summary import summary_lines

            yield from summary_lines(self.report, self._style, verbose=self._verbose)
        from provision.report.findings import more_line
        from provision.report.next_steps import next_lines

        more = more_line(self.report.hosts.values())
        if more is not None:
            yield f"more: {more}"
        bad = any(not one.good for one in self.report.hosts.values())
        if bad and self._log is not None and self._log.path is not None:
            yield f"log:  {self._log.path}"
        for text in next_lines(self.report):
            yield f"next: {text}"

    def _sync_result(self) -> Iterator[str]:
        from provision.report.sync_lines import host_lines, sync_lines

        if self._watched is None:
            yield from sync_lines(self.report, self._style, verbose=self._verbose)
            return
        # What went well was said when it happened.
        for host in self.report.hosts.values():
            if not host.good:
                yield from host_lines(host, self._style, verbose=self._verbose)
        if self.report.asked_to_stop and any(host.good for host in self.report.hosts.values()):
            yield "stopped watching"

    def _lasting(self, told: HostEvent, host: HostReport) -> bool:
        """Whether an event's line stays above the live table, that shows the rest while it is true."""
        match told.event:
            case HostStarted() | Note() | LinkLost():
                return True
            case StepFinished():
                return len(self.report.hosts) == 1
            case HostFinished():
                return not host.good
            case _:
                return False

    def _show(self, line: str) -> None:
        if self._live is None or not self._live.line(line):
            self._progress.line(line)

    def _tell_log_problem(self) -> None:
        if self._log is not None and self._log.problem and not self._log_problem_told:
            self._log_problem_told = True
            from provision.report.display import one_line

            self._show(one_line(self._log.problem))
