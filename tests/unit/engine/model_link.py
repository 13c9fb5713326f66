"""A link to a host in memory: it breaks where a test says so, and comes back as a real one does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from provision.errors import LinkLostError, UnreachableError
from provision.model.link import Completed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.model.link import Conversation, Lease, OnOutput
    from provision.model.plan import Program
    from tests.unit.engine.model_host import ModelHost

LOST = "the link was lost"


class ModelLease:
    """Held as long as the connection that took it lives."""

    def __init__(self, link: ModelLink) -> None:
        self._link = link
        self._connection = link.connections

    @property
    def held(self) -> bool:
        """Whether it is still the same connection."""
        return self._connection == self._link.connections and not self._link.down

    def release(self) -> None:
        """Give the host free."""
        if self.held:
            self._link.host.holder = None


@dataclass
class ModelLink:
    """One connection to one `ModelHost`."""

    host: ModelHost
    cut: Callable[[int, Program], str | None] = lambda _number, _program: None
    """Asked before each command: ``before`` or ``after`` it takes effect the link breaks; else ``None``."""
    cuts: Iterator[int] = field(default_factory=lambda: iter(()))
    """Bytes of a followed log after which the link breaks, one for each time it is followed."""
    piece: int = 7
    seen: Callable[[Program], None] = lambda _program: None
    back: bool = True
    """Whether a lost link can be made again."""
    notes: list[str] = field(default_factory=list)
    connections: int = 1
    commands: int = 0
    down: bool = False
    closed: bool = False

    def run(
        self,
        program: Program,
        *,
        on_output: OnOutput | None = None,
        capture: bool = True,
        stream: BinaryIO | None = None,
    ) -> Completed:
        """Run a program on the host, unless the link breaks."""
        if self.down or self.closed:
            raise LinkLostError(LOST)
        self.commands += 1
        self.seen(program)
        where = self.cut(self.commands, program)
        if where == "before":
            self._break()
        if stream is not None:
            stream.read()
        if program.script == "follow.sh":
            code, said = self._follow(program, on_output)
        else:
            code, said = self.host.run(program)
        if where == "after":
            self._break()
        if on_output is not None and program.script != "follow.sh":
            on_output("stdout", said)
        return Completed(code, said if capture else b"", b"", 0.01)

    def _follow(self, program: Program, on_output: OnOutput | None) -> tuple[int, bytes]:
        step = self.host.steps.get(program.arguments[1])
        if step is None:
            return 252, b""
        self.host.ran.append("follow.sh")
        rest = step.log[int(program.arguments[2]) :]
        stop = next(self.cuts, None)
        told = rest if stop is None else rest[:stop]
        for at in range(0, len(told), self.piece):
            if on_output is not None:
                on_output("stdout", told[at : at + self.piece])
        if stop is not None:
            self._break()
        if step.looks:
            step.looks -= 1
        else:
            self.host.running = None
        return step.code, b""

    def _break(self) -> None:
        self.down = True
        raise LinkLostError(LOST)

    def hold(self, program: Program) -> tuple[Lease | None, str]:
        """Take the lease, unless another holder, or our own lost connection, still has it."""
        if self.down:
            raise LinkLostError(LOST)
        holder = program.arguments[1]
        if self.host.holder is not None and (self.host.holder != holder or self.host.lingers):
            if self.host.holder == holder:
                self.host.lingers -= 1
            return None, self.host.holder
        again = "again" if self.host.last_holder == holder else ""
        self.host.holder = self.host.last_holder = holder
        return ModelLease(self), again

    def converse(self, program: Program) -> Conversation:
        """Refuse: what is modelled here runs programs to their end."""
        raise AssertionError(f"{program.script}: `up` converses with no program")

    def reconnect(self) -> None:
        """Make a new connection."""
        if not self.back:
            raise UnreachableError("no answer")
        self.connections += 1
        self.down = False

    def close(self) -> None:
        """End the connection; the host gives the lease free."""
        self.closed = True
