"""What the report shows of a fleet: its hosts as they were last seen, and what happened to them."""

from __future__ import annotations

from dataclasses import dataclass

LIVE_JOB = frozenset({"starting", "queued", "running", "stopping"})
"""States of a job that has not ended."""


@dataclass(frozen=True, slots=True)
class HostNow:
    """A host as it was last seen; ``None`` where nobody looked, or nothing was there."""

    name: str
    at: float | None = None
    """When it was last seen; seconds since the epoch, as every time here."""
    target: str | None = None
    cloud: str | None = None
    gpus: str | None = None
    driver: str | None = None
    cuda: str | None = None
    environment: str | None = None
    generation: str | None = None
    verified: float | None = None
    drift: int | None = None
    """How many things differ from what the last `up` left."""
    verdict: str | None = None
    """One line that begins with its word, as in ``fit: 1x NVIDIA A10``."""
    others: tuple[tuple[str, str], ...] = ()
    """Further facts, by name."""

    @property
    def word(self) -> str:
        """The verdict's word; ``unknown`` where nobody judged the host."""
        word = (self.verdict or "").partition(":")[0].strip()
        return word if word.isascii() and word.isalpha() else "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to on one host."""

    host: str
    outcome: str
    seconds: float | None = None
    error: str | None = None
    verdict: str | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class RunSeen:
    """One command that was typed, or that a schedule ran."""

    id: str
    command: str
    typed: str
    started: float
    ended: float | None = None
    """``None``: it goes on, or was killed."""
    exit_code: int | None = None
    schedule: str | None = None
    hosts: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step of a run on a host."""

    run: str
    host: str
    at: float
    task: str
    title: str
    seconds: float
    outcome: str


@dataclass(frozen=True, slots=True)
class FindingNow:
    """A finding of a host, put together from every run that met it."""

    host: str
    code: str
    severity: str
    title: str
    fix: str | None
    subject: str | None
    first: float
    last: float
    open: bool
    """The last run that judged the host met it."""


@dataclass(frozen=True, slots=True)
class JobNow:
    """A job on a host."""

    host: str
    id: str
    name: str | None
    state: str
    exit_code: int | None = None
    started: float | None = None
    ended: float | None = None
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Something of the timeline that is no run."""

    at: float
    host: str | None
    kind: str
    """``fact``, ``drift``, ``generation`` or ``lock``."""
    text: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything that the report shows."""

    at: float
    """When it was read."""
    project: str | None = None
    """``None``: of every project."""
    hosts: tuple[HostNow, ...] = ()
    runs: tuple[RunSeen, ...] = ()
    """The newest first."""
    steps: tuple[StepTime, ...] = ()
    findings: tuple[FindingNow, ...] = ()
    jobs: tuple[JobNow, ...] = ()
    events: tuple[Event, ...] = ()
    """The newest first."""
    problem: str | None = None
    """Why not all of it could be read."""

    def live_jobs(self, host: str) -> int:
        """Return how many jobs of a host run or wait."""
        return sum(one.host == host and one.state in LIVE_JOB for one in self.jobs)
