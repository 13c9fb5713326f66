"""What the ledger holds, a class for each table. Times are seconds since the epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILT, CURRENT, ROLLED_BACK, REMOVED = "built", "current", "rolled-back", "removed"
"""What may become of a generation."""
KEPT = 365 * 86400.0
"""Seconds that a row is kept."""
UNKNOWN_GPU = -1
"""The number of a GPU whose place in the machine is not known."""


@dataclass(frozen=True, slots=True)
class Run:
    """One command line of this machine."""

    id: str
    """Sorts by time: ``20260131T080000Z-3f2a91``."""
    command: str
    """``up``, ``env lock``."""
    argv: tuple[str, ...]
    """What followed, secrets hidden; empty where the run was killed before it was known what is secret."""
    project: str | None
    started: float
    ended: float | None
    """``None``: it still goes on, or was killed."""
    exit_code: int | None
    version: str
    user: str
    schedule: str | None
    """The timetable's entry that began it; ``None``: a person did."""


@dataclass(frozen=True, slots=True)
class HostRun:
    """What a run came to on one host."""

    run: str
    host: str
    target: str
    started: float
    ended: float | None
    outcome: str
    """A word of the JSON documents, such as ``converged``; ``unknown``: the run ended before the host did."""
    error: str | None
    verdict: str | None
    """``fit: ...`` or ``unfit: ...``; ``None``: not judged."""
    changed: bool


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step that began, or of a plan one that would."""

    run: str
    host: str
    number: int
    task: str
    """The title without what differs from time to time: the same step of another run has the same."""
    title: str
    started: float
    seconds: float | None
    outcome: str
    """``done``, ``failed``, ``unfinished``, or ``pending`` in a plan."""
    reason: str | None


@dataclass(frozen=True, slots=True)
class FindingSeen:
    """A finding that held for a host at the end of a run."""

    run: str
    host: str
    at: float
    code: str
    severity: str
    title: str
    """What was seen, in words."""
    fix: str | None
    subject: str | None
    """Which environment, card or path it is about, where the finding says so."""


@dataclass(frozen=True, slots=True)
class FactChanged:
    """A fact of a host that is another than at the run before."""

    run: str
    host: str
    at: float
    name: str
    """A key of `HostState.facts`."""
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class HostState:
    """What a host was last known to be."""

    host: str
    at: float
    run: str
    facts: Mapping[str, object] = field(default_factory=dict)
    """Texts or ``None``: target, provider, gpus (``2x NVIDIA A10 (22.0 GiB)``), driver, cuda, environment, generation,
    packages_digest, miniconda, system, kernel, glibc, machine, verdict.

    verified_at is a number; drift is a list of codes, ``None`` where nobody looked; gpu_uuids is a list, by index.
    """


@dataclass(frozen=True, slots=True)
class GenerationSeen:
    """Something that became of a generation of an environment."""

    run: str
    host: str
    at: float
    environment: str
    """``project/name``."""
    generation: str
    digest: str | None
    """Of its packages."""
    event: str
    """One of `BUILT`, `CURRENT`, `ROLLED_BACK`, `REMOVED`."""


@dataclass(frozen=True, slots=True)
class LockSeen:
    """A lock that a run wrote."""

    run: str
    at: float
    file: str
    """The absolute path of the lock."""
    platform: str
    cuda: str | None
    digest: str
    changes: int
    """Packages that are others than before."""


@dataclass(frozen=True, slots=True)
class JobSeen:
    """What was last known of a job; its times are the host's."""

    host: str
    id: str
    name: str | None
    state: str
    exit_code: int | None
    started: float | None
    ended: float | None
    at: float
    gpus: tuple[int, ...]
    """Indexes, `UNKNOWN_GPU` for each that cannot be told."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that was told to somebody, so that it is told once."""

    key: str
    at: float
    kind: str
    host: str | None
    text: str


Row: TypeAlias = (
    Run | HostRun | StepRun | FindingSeen | FactChanged | HostState | GenerationSeen | LockSeen | JobSeen | Notice
)
