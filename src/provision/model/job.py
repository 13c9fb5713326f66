"""A job on a host: what was asked for, and what has become of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDED = frozenset({"exited", "stopped", "lost"})
"""States that do not change any more."""


@dataclass(frozen=True, slots=True)
class JobEnvironment:
    """The build of an environment that a job runs in."""

    name: str
    generation: str
    prefix: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What was asked for, and where it runs; written once."""

    id: str
    name: str | None
    project: str
    command: tuple[str, ...]
    cwd: str
    """Relative to the snapshot, or to the tree."""
    tree: str
    snapshot: str | None
    """``None``: it runs in the tree itself."""
    environment: JobEnvironment | None
    gpus: int | None
    """How many it asked for; ``None``: it sees all there are, and waits for none."""
    way: str
    """What keeps it alive: ``user-unit``, ``system-unit`` or ``session``."""
    submitted: float
    """The host's time, in seconds since the epoch."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All that the host has written down of it."""


@dataclass(frozen=True, slots=True)
class JobWaiting:
    """What a queued job waits for."""

    ahead: int
    """Jobs before it."""
    text: str


@dataclass(frozen=True, slots=True)
class JobState:
    """What has become of a job; times are the host's, in seconds since the epoch."""

    state: str
    """One of queued, running, exited, stopped, lost."""
    exit_code: int | None = None
    signal: str | None = None
    """Which signal ended its command, such as ``KILL``."""
    reason: str | None = None
    message: str | None = None
    started: float | None = None
    ended: float | None = None
    gpus: tuple[str, ...] = ()
    """UUIDs of those that it has."""
    waiting: JobWaiting | None = None
    log_lost: int = 0
    """Bytes of output that a full disk took none of."""

    @property
    def over(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Job:
    """One job as its host tells of it."""

    record: JobRecord
    state: JobState
    log_bytes: int = 0
