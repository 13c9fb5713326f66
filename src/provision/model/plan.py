"""What will be done on a host, and what is thought of it: programs, steps, plans, findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Severity(str, Enum):
    """How bad a finding is: an error makes the host unfit."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """A judgement on facts: what was seen, and what to do about it."""

    code: str
    severity: Severity
    message: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """One constant script of ``remote/scripts`` with its arguments and, on stdin, its data."""

    script: str
    arguments: tuple[str, ...] = ()
    data: bytes | None = None
    """Bytes for the script's stdin; ``None``: its stdin is /dev/null."""
    timeout: float = 60.0
    """Seconds that the whole command may take."""
    secrets: tuple[str, ...] = ()
    """Texts that must not appear in any log."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables that the user set for the host: a proxy, HF_ENDPOINT; never shown in a log."""
    gathered: bool = False
    """Its output is text, short, and wanted only as a whole; what it says on stderr is dropped."""

    @property
    def shown(self) -> str:
        """The program as a log line shows it: never its data, long arguments by their size, secrets hidden."""
        words = (one if len(one) <= LONG else f"<{len(one)} characters>" for one in self.arguments)
        text = " ".join((self.script, *words)).replace("\n", "\\n")
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


LONG = 200
"""Characters of an argument that a log line shows."""

JudgeOutput: TypeAlias = Callable[[bytes], tuple[Finding, ...]]
"""Judges what a program printed; error findings make the step fail."""


@dataclass(frozen=True, slots=True)
class Run:
    """Run a program over the connection and wait for it: for what takes seconds and is safe to repeat."""

    program: Program
    judge: JudgeOutput | None = None
    on_pass: Program | None = None
    """Run when the judge finds no error: the record of a passed check."""
    record: Callable[[bytes], Program] | None = None
    """The same, where the record tells something of what the program printed."""
    on_fail: Program | None = None
    """Run when the judge finds errors, so that what was judged is never used."""
    judges_host: bool = False
    """Errors make the host unfit; else they make the step fail."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One file that a host's cache is to have."""

    path: str
    """Below the folder of the cache."""
    sha256: str
    urls: tuple[str, ...]
    """Where it can be downloaded, the best first."""


@dataclass(frozen=True, slots=True)
class Supply:
    """What is sent to a host that cannot download it, and the program that then does without a way out."""

    archives: tuple[Archive, ...]
    folder: str
    """The host's cache."""
    interpreter: str
    """A Python of the host."""
    program: Program
    at_once: bool = False
    """The host has no way out, as the user says: it is not tried."""


@dataclass(frozen=True, slots=True)
class Detached:
    """Run a program on the host apart from the connection, holding step.lock, and follow its output."""

    program: Program
    explain: Callable[[str], tuple[str, str | None] | None] | None = None
    """Turns the output of a failure into what happened and what to do, where it knows the signature."""
    supply: Supply | None = None
    """Where the host turns out to have no way out, this is sent, and the program of it run instead."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bring a file to the host's cache: downloaded there, or fetched by us and sent where the host has no way out."""

    urls: tuple[str, ...]
    sha256: str | None
    """Expected digest; ``None``: pinned at first use."""
    name: str
    state_dir: str
    local: str | None = None
    """A local file to send instead."""
    pin: Callable[[str], None] | None = None
    """Called with the digest that the first use found."""
    at_once: bool = False
    """The host has no way out, as the user says: it is sent at once."""


@dataclass(frozen=True, slots=True)
class Later:
    """The step depends on what earlier steps bring about: it is planned anew after them."""


Action: TypeAlias = "Run | Detached | Fetch | Later"


@dataclass(frozen=True, slots=True)
class Step:
    """One remote action, with its reason."""

    name: str
    reason: str
    action: Action
    changed: bool = True
    """Whether doing it changes the host; a check does not."""
    details: tuple[str, ...] = ()
    """Lines that ``plan`` shows below the step, as a diff does."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered steps that take a host from its facts to its playbook; empty means converged."""

    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Judged before anything is done: an error here stops `up` with exit 5."""

    @property
    def blocked(self) -> bool:
        """Whether a finding forbids to begin."""
        return any(one.severity is Severity.ERROR for one in self.findings)


class Outcome(str, Enum):
    """How it ended for one host."""

    CONVERGED = "converged"
    CHANGED = "changed"
    PENDING = "pending"
    UNFIT = "unfit"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    CRASHED = "crashed"
