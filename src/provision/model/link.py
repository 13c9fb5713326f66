"""What the engine asks of a connection, so that it need not know who speaks SSH."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

if TYPE_CHECKING:
    from provision.model.plan import Program


@dataclass(frozen=True, slots=True)
class Completed:
    """A remote program that ended and told its exit code."""

    code: int
    stdout: bytes
    stderr: bytes
    """The last 64 KiB."""
    seconds: float


OnOutput: TypeAlias = Callable[[str, bytes], None]
"""Called with ``stdout`` or ``stderr`` and a piece of output as it comes; once a second also with an empty one."""


class Lease(Protocol):
    """The right to change a host, held as long as the connection lives."""

    @property
    def held(self) -> bool:
        """Whether the host still counts us as its holder."""

    def release(self) -> None:
        """Give the host free."""


class Conversation(Protocol):
    """A program on the host that listens and answers; `send` and `receive` may be called from a thread each."""

    @property
    def begun(self) -> bool:
        """Whether the program said its first word."""

    def send(self, data: bytes) -> None:
        """Send all of it, waiting while the host takes no more.

        Raises:
            LinkLostError: the link broke, or the program went away.
        """

    def receive(self, seconds: float) -> bytes:
        """Return what came next of the program's output; nothing where none came in so many seconds.

        Raises:
            LinkLostError: the stream ended, or the host is silent.
            UnsupportedHostError: the host runs no commands.
        """

    def finish(self) -> None:
        """Let the program see the end of its input."""

    def close(self) -> None:
        """End the conversation; the program is told, where it still runs."""


class Link(Protocol):
    """One connection to one host."""

    notes: list[str]
    """Lines that the user must see: a host key recorded, a directive of ssh_config not honoured."""

    def run(
        self,
        program: Program,
        *,
        on_output: OnOutput | None = None,
        capture: bool = True,
        stream: BinaryIO | None = None,
    ) -> Completed:
        """Run one program and return how it ended.

        Raises:
            LinkLostError: the link broke; whether the program ran is unknown.
            UnreachableError: no connection could be made.
        """

    def hold(self, program: Program) -> tuple[Lease | None, str]:
        """Start the lease program; return the lease, or ``None`` with its holder's name."""

    def converse(self, program: Program) -> Conversation:
        """Start a program that speaks for itself (its first word follows PROVISION_NONCE's begin line).

        Its data, where it has any, goes to its stdin at once.

        Raises:
            LinkLostError: the link broke.
        """

    def reconnect(self) -> None:
        """Drop what is left of the connection and make a new one, patiently."""

    def close(self) -> None:
        """End the connection; safe to call twice, and from another thread."""
