"""Events as lines, for pipes, logs of other tools, NO_COLOR, TERM=dumb, and for who asked for every line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.events import (
    CommandRan,
    Connected,
    HostFinished,
    HostStarted,
    LinkLost,
    Note,
    Planned,
    Probed,
    StepFinished,
    StepOutput,
    StepStarted,
    SyncPlanned,
    SyncProgress,
    Waiting,
)
from provision.model.plan import Outcome
from provision.report.amounts import amounts
from provision.report.display import one_line, output_line, without_name
from provision.report.duration import duration
from provision.report.link_text import link_lost
from provision.report.verdict import UNFIT, verdict_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.events import Event, HostEvent
    from provision.report.fold import HostReport, Report, StepReport
    from provision.report.style import Style

EVERY = 10.0
"""Seconds between two signs of life of a step."""
PROGRESS_EVERY = 3.0
"""Seconds between two lines on how far a transfer is."""
_NAME_WIDTH = 24


class PlainLines:
    """Turns each event into the lines that are printed for it."""

    def __init__(self, report: Report, style: Style, *, verbose: bool, targets: bool = True) -> None:
        self._report = report
        self._targets = targets
        self._style = style
        self._verbose = verbose
        self._told: dict[str, float] = {}

    def lines(self, told: HostEvent, host: HostReport) -> Iterator[str]:
        """Yield the lines for one event, which the report has taken already."""
        prefix = self._prefix(host.name)
        for line in self._event(told.event, told.at, host):
            yield prefix + line

    def still(self, now: float) -> Iterator[str]:
        """Yield a sign of life for each step that has printed nothing for a while."""
        for host in self._report.hosts.values():
            step = host.current
            if step is not None and now - self._told.get(host.name, now) >= EVERY:
                self._told[host.name] = now
                yield self._prefix(host.name) + self._alive(now - step.started, host.last_line)

    def _alive(self, seconds: float, line: str) -> str:
        return self._style.dim(f"    {duration(seconds)}: {output_line(line) or 'still at work'}")

    def _prefix(self, name: str) -> str:
        if len(self._report.hosts) == 1:
            return ""
        width = min(_NAME_WIDTH, max(len(one_line(one)) for one in self._report.hosts))
        return self._style.cyan(f"{one_line(name):<{width}}") + " | "

    def _event(  # noqa: C901 - one case for each kind of event
        self, event: Event, at: float, host: HostReport
    ) -> Iterator[str]:
        match event:
            case HostStarted(target=target):
                yield from self._target(target, host)
            case Note(text=text):
                yield f"note: {one_line(without_name(text, host.name))}"
            case Planned():
                yield from self._planned(event, host)
            case Waiting(reason=reason):
                yield f"waiting: {one_line(reason)}"
            case LinkLost(reason=reason):
                alone = len(self._report.hosts) == 1
                yield self._style.yellow(link_lost(reason, host.name if alone else ""))
            case StepStarted():
                self._told[host.name] = at
                why = f"  ({one_line(event.step.reason)})" if event.step.reason else ""
                yield f"{_number(host.steps[-1])} {one_line(event.step.name)}{self._style.dim(why)}"
            case StepOutput(line=line):
                yield from self._output(line, at, host)
            case StepFinished():
                yield self._ended(event, host)
            case SyncPlanned():
                self._told[host.name] = at
            case SyncProgress():
                yield from self._progress(at, host)
            case HostFinished():
                yield from self._finished(host)
            case _:
                yield from self._only_verbose(event)

    def _target(self, target: str, host: HostReport) -> Iterator[str]:
        if self._targets:
            # Behind the prefix the host's name would stand twice.
            alone = len(self._report.hosts) == 1
            where = f": {one_line(host.tree)}" if host.tree else ""
            yield self._style.bold(one_line(target if alone else target.removeprefix(f"{host.name} "))) + where

    def _only_verbose(self, event: Event) -> Iterator[str]:
        if not self._verbose:
            return
        match event:
            case Connected(seconds=seconds):
                yield self._style.dim(f"connected in {duration(seconds)}")
            case Probed(seconds=seconds):
                yield self._style.dim(f"facts read in {duration(seconds)}")
            case CommandRan(program=program, code=code, seconds=seconds):
                ended = "link lost" if code is None else f"exit {code}"
                yield self._style.dim(f"$ {one_line(program)}: {ended}, {duration(seconds)}")
            case _:
                pass

    def _planned(self, event: Planned, host: HostReport) -> Iterator[str]:
        if self._report.foresees or self._report.command == "verify" or not event.plan.steps:
            return
        # The first plan is what the user is shown; a later one is the same work, known more exactly.
        if event.plan.steps is host.planned:
            yield f"{amounts(event.plan.steps)} to do"

    def _output(self, line: str, at: float, host: HostReport) -> Iterator[str]:
        if self._verbose:
            self._told[host.name] = at
            yield f"    {output_line(line)}"
        elif host.current is not None and at - self._told.get(host.name, at) >= EVERY:
            self._told[host.name] = at
            yield self._alive(at - host.current.started, line)

    def _progress(self, at: float, host: HostReport) -> Iterator[str]:
        if at - self._told.get(host.name, at) >= PROGRESS_EVERY:
            self._told[host.name] = at
            yield self._style.dim(f"    {host.doing}")

    def _ended(self, event: StepFinished, host: HostReport) -> str:
        step = host.steps[-1] if host.steps else None
        number = f"{_number(step)} " if step is not None else ""
        how = f"{self._style.green('done')} in" if event.ok else f"{self._style.red('failed')} after"
        return f"{number}{how} {duration(event.seconds)}"

    def _finished(self, host: HostReport) -> Iterator[str]:
        # Of a single host the summary says it in a moment, of a foreseen one the plan.
        if len(self._report.hosts) == 1 or (self._report.foresees and host.error is None):
            return
        if host.outcome is Outcome.UNFIT and (verdict := verdict_line(host)):
            yield self._style.outcome(host.outcome, UNFIT) + verdict.removeprefix(UNFIT)
            return
        why = f": {one_line(without_name(host.error.message, host.name))}" if host.error is not None else ""
        yield self._style.outcome(host.outcome, host.outcome.value) + why


def _number(step: StepReport) -> str:
    return f"[{step.number}/{step.total}]"
