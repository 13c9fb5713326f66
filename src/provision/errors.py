"""The error tree: each class carries its exit code, its kind and a hint on what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class KnownCause:
    """A pitfall that others met before, found in the output of what failed."""

    id: str
    cause: str
    fix: tuple[str, ...]
    """What to do, a line each; one that begins with ``$ `` is a command to type."""
    evidence: str | None = None
    """The line of the output that shows it."""


class ProvisionError(Exception):
    """A failure that provision explains in one line; anything else that escapes is a bug (exit 1)."""

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "bug"

    def __init__(self, message: str, *, hint: str | None = None, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail
        self.left: tuple[str, ...] = ()
        """Names of steps that were planned and not done."""
        self.known: tuple[KnownCause, ...] = ()
        """Known pitfalls that its text shows."""


class UsageError(ProvisionError):
    """The command line or a file is wrong; raised before any connection is made."""

    exit_code = 2
    kind = "usage"


class BadFileError(UsageError):
    """A file that the user wrote cannot be taken; the message starts with ``file:line``."""

    kind = "file"


class UnreachableError(ProvisionError):
    """The host did not answer, or the link to it was lost for good."""

    exit_code = 3
    kind = "network"


class StoppedError(UnreachableError):
    """The host is a rented machine that is stopped, as its cloud says: nobody needs to wait for an answer."""

    kind = "stopped"


class AuthenticationError(UnreachableError):
    """The host answered, and accepted none of the ways to log in."""

    kind = "authentication"


class HostKeyError(UnreachableError):
    """The host showed a key that is not the one it must have; nothing was sent to it."""

    kind = "host_key"


class UnsupportedHostError(UnreachableError):
    """The host lets us log in but will not run a POSIX shell command."""

    kind = "unsupported"


class StepFailedError(ProvisionError):
    """A step ran on the host and did not do what it was for."""

    exit_code = 4
    kind = "step"


class UnfitError(ProvisionError):
    """The host cannot become what its playbook says, or is not after all steps."""

    exit_code = 5
    kind = "unfit"


class BusyError(ProvisionError):
    """Another run holds the host."""

    exit_code = 6
    kind = "busy"


class LinkLostError(ProvisionError):
    """The link broke while a command ran: its outcome is unknown and must be read back.

    The engine reconnects on this one; when that fails too it becomes an `UnreachableError`.
    """

    exit_code = 3
    kind = "link"


class InterruptedRunError(ProvisionError):
    """The user pressed Ctrl-C; the host was left re-runnable."""

    exit_code = 130
    kind = "interrupted"
