"""The table that moves while hosts are worked on. rich is imported when it first appears, not before."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from provision.report.display import one_line, output_line
from provision.report.duration import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TextIO

    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    from provision.report.fold import HostReport, Report

DELAY = 1.0
"""Seconds before the table appears where no step begins earlier: a converged host is mostly done by then."""
_PER_SECOND = 8
_LEAST_ROWS = 3
_FRAME = 4
"""Terminal lines kept free for the heading, the counts and the prompt."""
_MARGIN = 3
"""Columns kept free on the right: the terminal shows ^C behind the last row, which must not wrap."""
_LEAST_WIDTH = 20


class LiveTable:
    """Shows what the report says, several times a second, until it is closed.

    It reads the report without a lock: each value that it needs is read once, and a host is never removed.
    """

    def __init__(
        self,
        report: Report,
        stream: TextIO,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._report = report
        self._stream = stream
        self._environ = environ
        self._clock = clock
        self._gate = threading.RLock()
        self._live: Live | None = None
        self._console: Console | None = None
        self._closed = False
        self._held = 0
        self.message = ""
        """A line below the table, such as the answer to Ctrl-C."""
        self._timer = threading.Timer(DELAY, self.start)
        self._timer.daemon = True
        self._timer.start()

    @property
    def shown(self) -> bool:
        """Whether the table is on the screen."""
        return self._live is not None

    def start(self) -> None:
        """Put the table on the screen; from any thread, once."""
        with self._gate:
            if self._live is not None or self._closed or self._held:
                return
            from rich.console import Console
            from rich.live import Live

            self._console = Console(
                file=self._stream,
                force_terminal=True,
                highlight=False,
                markup=False,
                emoji=False,
                _environ=self._environ,
            )
            self._live = Live(
                console=self._console,
                get_renderable=self._table,
                refresh_per_second=_PER_SECOND,
                transient=True,
                redirect_stdout=_same_terminal(self._stream),
                redirect_stderr=True,
            )
            self._live.start(refresh=True)

    def line(self, text: str) -> bool:
        """Print a line above the table; return whether it could."""
        with self._gate:
            if self._live is None or self._console is None:
                return False
            from rich.text import Text

            self._console.print(Text.from_ansi(text), soft_wrap=True)
            return True

    def hold(self) -> None:
        """Take the table off the screen until `go_on`, so that somebody can be asked something there."""
        with self._gate:
            self._held += 1
            self._stop()

    def go_on(self) -> None:
        """Let the table appear again."""
        with self._gate:
            self._held -= 1
        self.start()

    def close(self) -> None:
        """Take the table off the screen for good."""
        self._timer.cancel()
        with self._gate:
            self._closed = True
            self._stop()

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        hosts = list(self._report.hosts.values())
        several = len(hosts) > 1
        table = Table(box=None, expand=True, pad_edge=False, show_header=several, header_style="dim")
        if self._console is not None:
            table.width = max(_LEAST_WIDTH, self._console.width - _MARGIN)
        table.add_column("host", no_wrap=True, style="cyan", max_width=24, overflow="ellipsis")
        table.add_column("step", no_wrap=True, ratio=3, overflow="ellipsis")
        table.add_column("time", no_wrap=True, justify="right", min_width=6)
        lines = self._report.command != "sync"
        if lines:
            table.add_column("", no_wrap=True, ratio=4, style="dim", overflow="ellipsis")
        now = self._clock()
        height = self._console.height if self._console is not None else 24
        for host in by_activity(hosts)[: max(_LEAST_ROWS, height - _FRAME)]:
            # No step of a sync prints anything.
            cells = row(host, now)
            table.add_row(*(Text(one) for one in (cells if lines else cells[:-1])))
        below = "   ".join(one for one in (counts(hosts) if several else "", self.message) if one)
        if below:
            table.caption = Text(below)
            table.caption_justify = "left"
        return table


def by_activity(hosts: Iterable[HostReport]) -> list[HostReport]:
    """Return the hosts that are not done: first those at a step, then those that began, then the others."""
    left = [one for one in hosts if not one.finished]
    return sorted(left, key=lambda one: (one.current is None, one.started is None))


def row(host: HostReport, now: float) -> tuple[str, str, str, str]:
    """Return a host's name, what it is at, since when, and what it printed last."""
    step, started = host.current, host.started
    if step is not None:
        what, since = f"{step.number}/{step.total} {one_line(step.name)}", step.started
    else:
        what, since = one_line(host.doing), started or now
    line = output_line(host.last_line) if step is not None else ""
    return one_line(host.name), what, duration(now - since) if started is not None else "", line


def counts(hosts: Iterable[HostReport]) -> str:
    """Return how many hosts are done, at work, and not begun."""
    every = list(hosts)
    done = sum(1 for one in every if one.finished)
    bad = sum(1 for one in every if one.finished and not one.good)
    waiting = sum(1 for one in every if one.started is None)
    parts = [f"{done} of {len(every)} done", f"{len(every) - done - waiting} at work"]
    parts += [f"{waiting} not begun"] if waiting else []
    parts += [f"{bad} not well"] if bad else []
    return ", ".join(parts)


def _same_terminal(stream: TextIO) -> bool:
    import sys

    # Where standard output is a terminal too, a print of another thread would tear the table.
    try:
        return sys.stdout.isatty() and stream.isatty()
    except ValueError:
        return False
