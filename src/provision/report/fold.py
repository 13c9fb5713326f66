"""Events become a report: what happened on each host, so far or in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.events import (
    Connected,
    HostFinished,
    HostStarted,
    Judged,
    LinkLost,
    Note,
    Planned,
    Probed,
    StepFinished,
    StepOutput,
    StepStarted,
    Synced,
    SyncPlanned,
    SyncProgress,
    Waiting,
)
from provision.model.plan import Outcome, Severity
from provision.sync.sizes import files, sized

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.events import Event, Failure, HostEvent
    from provision.model.facts import Facts
    from provision.model.plan import Finding, Step
    from provision.model.sync import Question, SyncPlan, SyncResult
    from provision.report.asked import Asked

GOOD = frozenset({Outcome.CONVERGED, Outcome.CHANGED, Outcome.PENDING})
"""Outcomes where nothing went wrong."""


@dataclass(eq=False, repr=False)
class StepReport:
    """A step that began."""

    step: Step
    number: int
    """Among all steps of the host in this run; the first is 1."""
    total: int
    """Steps that began, and those that the present plan still has; it never becomes less."""
    started: float
    """Seconds since the epoch."""
    seconds: float | None = None
    """``None`` while it works."""
    ok: bool = False

    @property
    def name(self) -> str:
        """The step's name."""
        return self.step.name


@dataclass(eq=False, repr=False)
class HostReport:
    """What happened on one host."""

    name: str
    target: str = ""
    outcome: Outcome = Outcome.CRASHED
    """Crashed until the host's last event says otherwise."""
    finished: bool = False
    steps: list[StepReport] = field(default_factory=list)
    """Those that began, in their order."""
    planned: tuple[Step, ...] | None = None
    """The first plan; ``None``: the host did not get that far."""
    findings: tuple[Finding, ...] = ()
    asked: tuple[Asked, ...] | None = None
    """The environments that the run's playbook asks for there; ``None``: nobody said."""
    facts: Facts | None = None
    error: Failure | None = None
    left: tuple[str, ...] = ()
    """Names of steps that were planned and not done."""
    notes: list[str] = field(default_factory=list)
    doing: str = "not begun"
    """What it is at, in a few words, while no step works."""
    current: StepReport | None = None
    last_line: str = ""
    """What the step printed last, as it came from the host."""
    tree: str = ""
    """Where a sync puts the project, as the user wrote it; later the absolute path on the host."""
    sync: SyncPlan | None = None
    """What the newest sync is to do, or did; ``None``: nothing, or it did not get that far."""
    synced: SyncResult | None = None
    refused: tuple[Question, ...] = ()
    """What a sync asked in vain."""
    progress: SyncProgress | None = None
    started: float | None = None
    began: float | None = None
    """When its newest round of work began: a watched host has many."""
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """From the host's first event to its last one so far."""
        return 0.0 if self.started is None or self.ended is None else max(0.0, self.ended - self.started)

    @property
    def changes(self) -> list[StepReport]:
        """Steps that were done well and changed the host."""
        return [one for one in self.steps if one.ok and one.step.changed]

    @property
    def good(self) -> bool:
        """Whether it ended, and nothing went wrong."""
        return self.finished and self.outcome in GOOD

    @property
    def errors(self) -> list[Finding]:
        """The findings that make the host unfit."""
        return [one for one in self.findings if one.severity is Severity.ERROR]


class Report:
    """All hosts of a run, in the order in which they were asked for."""

    def __init__(self, command: str, hosts: Iterable[str], *, foresees: bool | None = None) -> None:
        self.command = command
        self.foresees = command == "plan" if foresees is None else foresees
        """Whether the run only says what would be done (`plan`, `up --dry-run`)."""
        self.hosts = {name: HostReport(name) for name in hosts}
        self.options = ""
        """Options that a command which leads on from here needs too, with a space in front."""
        self.left_out: tuple[tuple[str, str], ...] = ()
        """What a sync leaves on this machine, and by which rule: asked for by those that only foresee."""
        self.notes: list[str] = []
        """Of the project itself, whatever the hosts."""
        self.asked_to_stop = False
        """Whether the user pressed Ctrl-C."""

    def take(self, told: HostEvent) -> HostReport:
        """Fold one event in, and return the report of its host."""
        host = self.hosts.setdefault(told.host, HostReport(told.host))
        if host.started is None:
            host.started = told.at
        host.ended = told.at
        self._fold(host, told.event, told.at)
        return host

    def _fold(  # noqa: C901, PLR0912 - one case for each kind of event
        self, host: HostReport, event: Event, at: float
    ) -> None:
        match event:
            case HostStarted(target=target):
                host.target, host.doing, host.began = target, "connecting", at
                host.sync = host.synced = host.progress = None
            case Connected():
                host.doing = "comparing" if self.command in {"sync", "run"} else "reading facts"
            case Note(text=text):
                host.notes.append(text)
            case Probed(facts=facts):
                host.facts, host.doing = facts, "planning"
            case Planned(plan=plan):
                if host.planned is None:
                    host.planned, host.findings = plan.steps, plan.findings
                host.doing = "proving" if event.final else "beginning"
            case Waiting(reason=reason):
                host.doing = f"waiting: {reason}"
            case LinkLost():
                host.doing = "connecting again"
            case StepStarted():
                # Each round of plans counts from 1; the user sees one run.
                before = len(host.steps)
                total = max(before + 1 + event.total - event.number, before + 1, *(one.total for one in host.steps))
                host.current = StepReport(event.step, before + 1, total, at)
                host.steps.append(host.current)
                host.last_line = ""
            case StepOutput(line=line):
                host.last_line = line
            case StepFinished():
                self._end_step(host, event)
            case SyncPlanned(plan=plan):
                host.sync, host.tree, host.doing = plan, plan.tree, "sending"
            case SyncProgress():
                host.progress, host.doing = event, progress_text(event)
            case Synced(result=result):
                host.synced, host.sync, host.tree, host.doing = result, result.plan, result.plan.tree, "synced"
            case Judged(findings=findings):
                # A plan shows what speaks against it and what the host is worth now; after `up` only the end counts.
                kept = host.findings if self.foresees else ()
                host.findings = (*kept, *(one for one in findings if one not in kept))
            case HostFinished():
                host.outcome, host.error, host.left = event.outcome, event.failure, event.left
                host.finished, host.current, host.doing = True, None, event.outcome.value
            case _:
                pass

    @staticmethod
    def _end_step(host: HostReport, event: StepFinished) -> None:
        if host.current is not None:
            host.current.seconds, host.current.ok = event.seconds, event.ok
            host.current = None
        host.doing = "between steps"


def progress_text(event: SyncProgress) -> str:
    """Return ``34 MB of 118 MB, 1,204 of 20,000 files sent``: what a narrow terminal cuts is the least of it."""
    if not event.total_files:
        return "removing what is no longer here"
    amount = f"{sized(event.bytes)} of {sized(event.total_bytes)}"
    return f"{amount}, {event.files:,} of {files(event.total_files)} sent"


def fold(command: str, hosts: Iterable[str], events: Iterable[HostEvent]) -> Report:
    """Return the report of a whole run."""
    report = Report(command, hosts)
    for one in events:
        report.take(one)
    return report
