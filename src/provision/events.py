"""What the engine says while it works; screen, log, report and exit code are folds over these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.errors import KnownCause
    from provision.model.facts import Facts
    from provision.model.job import Job, JobState
    from provision.model.plan import Finding, Outcome, Plan, Step
    from provision.model.sync import SyncPlan, SyncResult


@dataclass(frozen=True, slots=True)
class HostStarted:
    """Work on a host begins."""

    target: str


@dataclass(frozen=True, slots=True)
class Connected:
    """The login succeeded."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the user must see, though nothing is wrong."""

    text: str
    lines: tuple[str, ...] = ()
    """More about it, to stand below."""


@dataclass(frozen=True, slots=True)
class Probed:
    """The facts were read."""

    facts: Facts
    seconds: float


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan was made from facts; the first one of a host is what the user is shown."""

    plan: Plan
    final: bool = False
    """Made after the steps: it should be empty."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing moves for now.

    The host is held by another run, a step of an earlier run still works there, our own project is still being read,
    or there is nothing to do until it changes.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins."""

    step: Step
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class StepOutput:
    """A line that a step printed on the host, as it is: show it escaped."""

    line: str


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step ended, well or not."""

    step: Step
    seconds: float
    ok: bool


@dataclass(frozen=True, slots=True)
class CommandRan:
    """A remote program ended: for the log."""

    program: str
    code: int | None
    """``None``: the link broke, its outcome is unknown."""
    seconds: float


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The link broke; a new one is being made."""

    reason: str


@dataclass(frozen=True, slots=True)
class SyncPlanned:
    """What a sync will do on the host; not emitted where nothing is to be done."""

    plan: SyncPlan


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How far a transfer is; at most a few times a second."""

    files: int
    total_files: int
    bytes: int
    """Of content, before compression."""
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Synced:
    """The host's tree is the local one."""

    result: SyncResult


@dataclass(frozen=True, slots=True)
class JobLaunched:
    """The host has taken a job: it goes on whatever becomes of us."""

    job: Job
    again: bool
    """An earlier try had launched it, and its answer was lost."""


@dataclass(frozen=True, slots=True)
class JobChanged:
    """A job waits, runs, or has ended."""

    state: JobState


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings that hold for the host in the end."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a host did not get there."""

    kind: str
    message: str
    exit_code: int
    hint: str | None = None
    detail: str | None = None
    known: tuple[KnownCause, ...] = ()
    """Known pitfalls that what failed has printed."""


@dataclass(frozen=True, slots=True)
class HostFinished:
    """The last event of a host, always."""

    outcome: Outcome
    failure: Failure | None = None
    left: tuple[str, ...] = field(default=())
    """Names of steps that were planned and not done."""


Event: TypeAlias = (
    "HostStarted | Connected | Note | Probed | Planned | Waiting | StepStarted | StepOutput | StepFinished"
    " | CommandRan | LinkLost | SyncPlanned | SyncProgress | Synced | JobLaunched | JobChanged | Judged | HostFinished"
)


@dataclass(frozen=True, slots=True)
class HostEvent:
    """An event, of which host, and when (seconds since the epoch)."""

    host: str
    at: float
    event: Event


Emit: TypeAlias = "Callable[[Event], None]"
