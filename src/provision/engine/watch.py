"""Keeps one host like the project while somebody works on it: each change is sent as soon as it is seen."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from provision.engine.stop import Stop
from provision.errors import (
    AuthenticationError,
    HostKeyError,
    InterruptedRunError,
    LinkLostError,
    ProvisionError,
    UnreachableError,
    UnsupportedHostError,
)
from provision.events import Connected, HostStarted, LinkLost, Note
from provision.model.plan import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from provision.events import Emit
    from provision.model.link import Completed, Conversation, Lease, Link, OnOutput
    from provision.model.plan import Program

GLANCE = 0.2
"""Seconds between two looks at whether the user wants to end it."""
SLEPT = 20.0
"""Seconds that a glance takes where this machine was asleep: its connections are dead by then, and do not know it."""
SHORTEST, LONGEST = 1.0, 15.0
"""Seconds between two tries to reach a host that is away."""
_FINAL = (AuthenticationError, HostKeyError, UnsupportedHostError)
"""To try again by itself would help nothing, and lock accounts."""


class Tree(Protocol):
    """A state of the project."""

    @property
    def id(self) -> str:
        """What names it."""


T = TypeVar("T", bound=Tree)


class Changes:
    """How many changes were seen: one thread counts, the workers of all hosts wait."""

    def __init__(self) -> None:
        self._count = 0
        self._more = threading.Condition()

    @property
    def count(self) -> int:
        """So many until now."""
        return self._count

    def note(self) -> None:
        """Count one more."""
        with self._more:
            self._count += 1
            self._more.notify_all()

    def wait(self, seen: int, seconds: float) -> int:
        """Return the count, as soon as it is another than what was seen, or after so many seconds."""
        with self._more:
            self._more.wait_for(lambda: self._count != seen, seconds)
            return self._count


class KeptLink:
    """A connection that outlives a sync: it is closed by who watches alone."""

    def __init__(self, link: Link, *, fresh: bool) -> None:
        self._link = link
        self.fresh = fresh
        """Whether the first sync is not over yet."""
        self.notes = list(link.notes)

    def run(
        self,
        program: Program,
        *,
        on_output: OnOutput | None = None,
        capture: bool = True,
        stream: BinaryIO | None = None,
    ) -> Completed:
        """Run one program, as the link itself does."""
        return self._link.run(program, on_output=on_output, capture=capture, stream=stream)

    def hold(self, program: Program) -> tuple[Lease | None, str]:
        """Start the lease program, as the link itself does."""
        return self._link.hold(program)

    def converse(self, program: Program) -> Conversation:
        """Start a conversation, as the link itself does."""
        return self._link.converse(program)

    def reconnect(self) -> None:
        """Make a new connection in the first sync; later who watches does, who is more patient and can be ended.

        Raises:
            LinkLostError: it is a later one.
        """
        if not self.fresh:
            raise LinkLostError("the connection is gone")
        self._link.reconnect()

    def close(self) -> None:
        """Keep it, for the next sync."""

    def end(self) -> None:
        """Close it for good."""
        self._link.close()


class Watcher(Generic[T]):
    """Watches for one host.

    Args:
        target: The host as a person reads it.
        trees: Returns the project's state after so many changes; the same value for every host that asks.
        sync: Brings the host to that state; also returns the id of what it really brought: a project goes on changing.
        connect: Makes a connection.
        changes: What is waited for.
        emit: Takes events; each sync after the first begins with a HostStarted of its own.
    """

    def __init__(
        self,
        target: str,
        trees: Callable[[int], T],
        sync: Callable[[T, Link], tuple[Outcome, str]],
        connect: Callable[[], Link],
        *,
        changes: Changes,
        emit: Emit,
    ) -> None:
        self._target = target
        self._trees = trees
        self._sync = sync
        self._connect = connect
        self._changes = changes
        self._emit = emit
        self._stop = Stop()
        self._link: KeptLink | None = None
        self._there = ""
        """The id of the tree that the host has."""
        self._outcome = Outcome.CONVERGED
        self._trouble: ProvisionError | None = None
        """Why the host does not have the present tree."""
        self._pause = SHORTEST

    def run(self, stop: Stop) -> Outcome:
        """Sync once, then after every change, until `stop` is asked for.

        Raises:
            ProvisionError: the first sync failed, or the user ended it in the middle of one or while the host could
                not be brought to the present tree.
        """
        self._stop = stop
        try:
            seen = self._changes.count
            self._bring(self._trees(seen))
            self._emit(Note("watching for changes; Ctrl-C ends it"))
            self._watch(seen)
        finally:
            self._drop()
        if self._trouble is not None:
            raise self._trouble
        return self._outcome

    def _watch(self, seen: int) -> None:
        again = 0.0
        while not self._stop.asked:
            before = time.time()
            now = self._changes.wait(seen, GLANCE)
            if time.time() - before > SLEPT:
                self._drop()
            late = self._retried() and time.monotonic() >= again
            if now == seen and not late:
                continue
            if self._retried() and not late:
                self._stop.wait(GLANCE)
                continue
            seen = now
            self._attempt(seen)
            if self._retried():
                again = time.monotonic() + self._pause
                self._pause = min(LONGEST, self._pause * 2)

    def _attempt(self, generation: int) -> None:
        try:
            tree = self._trees(generation)
            if tree.id != self._there:
                self._emit(HostStarted(self._target))
                self._bring(tree)
            elif self._trouble is not None:
                # What stood in the way is undone here: no sync says that all is well.
                self._emit(Note("the host has what is here again"))
            self._trouble, self._pause = None, SHORTEST
        except InterruptedRunError:
            raise
        except ProvisionError as error:
            self._tell(error)
            self._trouble = error

    def _bring(self, tree: T) -> None:
        outcome, self._there = self._sync(tree, self._kept())
        if self._link is not None:
            self._link.fresh = False
        if outcome is Outcome.CHANGED:
            self._outcome = outcome

    def _kept(self) -> Link:
        if self._link is None:
            first = not self._there
            began = time.monotonic()
            self._link = KeptLink(self._connect() if first else self._reached(), fresh=first)
            self._emit(Connected(time.monotonic() - began))
            for text in self._link.notes if first else ():
                self._emit(Note(text))
        return self._link

    def _reached(self) -> Link:
        """Connect to a host that was away, which may take long: in a thread that is left behind when the user ends it.

        Raises:
            ProvisionError: it could not be reached, or the user ended it.
        """
        answers: queue.SimpleQueue[Link | ProvisionError] = queue.SimpleQueue()

        def connect() -> None:
            try:
                answers.put(self._connect())
            except ProvisionError as error:
                answers.put(error)

        threading.Thread(target=connect, name="provision-reconnect", daemon=True).start()
        while True:
            try:
                answer = answers.get(timeout=GLANCE)
            except queue.Empty:
                if self._stop.asked:
                    raise self._trouble or LinkLostError("the connection is gone") from None
                continue
            if isinstance(answer, ProvisionError):
                raise answer
            return answer

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.end()

    def _retried(self) -> bool:
        """Whether the host is away or held by somebody, so that it is tried again without a change."""
        trouble = self._trouble
        if trouble is None or isinstance(trouble, _FINAL):
            return False
        return isinstance(trouble, (LinkLostError, UnreachableError)) or trouble.kind == "busy"

    def _tell(self, error: ProvisionError) -> None:
        if isinstance(error, (LinkLostError, UnreachableError)):
            self._drop()
            if not isinstance(error, _FINAL):
                self._emit(LinkLost(error.message))
                return
        if self._trouble is None or self._trouble.message != error.message:
            hint = f" -> {error.hint}" if error.hint else ""
            about = (error.detail or "").splitlines() if error.kind == "usage" else ()
            self._emit(Note(f"not synced: {error.message}{hint}", tuple(about)))
