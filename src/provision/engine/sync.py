"""Makes the tree of one host what the project is; a lost link, another sync and a changing project do not end it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from provision.engine.attempt import Attempt
from provision.engine.exchange import ChangedError, DamagedError
from provision.engine.past import Past
from provision.errors import BusyError, LinkLostError, StepFailedError, UnreachableError
from provision.events import CommandRan, Connected, LinkLost, Note, Waiting
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.stop import Stop
    from provision.events import Emit
    from provision.model.link import Link
    from provision.model.plan import Outcome
    from provision.model.sync import Origin, Question, SyncPlan
    from provision.tree.archive import TreeSource

MOST_LOSSES = 5
"""Lost links in a row between which nothing more arrived."""
MOST_IN_ALL = 20
"""Lost links between which less than a hundredth of the whole arrived: a host can say that it has ever more."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
"""Seconds between two tries, from the second loss on; they double."""
FIRST_WAIT, LONGEST_WAIT = 2.0, 20.0
"""Seconds that the host waits for another sync in one conversation; the user is told after the first."""


class Bases(Protocol):
    """What each host had last, as this machine remembers it."""

    def load(self, key: str, /) -> bytes | None:
        """Return the manifest's blob that is kept for this host; ``None`` where nothing is."""

    def keep(self, key: str, blob: bytes, /) -> str | None:
        """Remember it; return a note where that cannot be."""


@dataclass(frozen=True, slots=True)
class SyncGoal:
    """What a sync wants of one host."""

    workdir: str
    """As the user wrote it; the host knows its home."""
    state_dir: str
    project: str
    """The name of the tree's folder in `workdir`."""
    origin: Origin
    approve: Callable[[SyncPlan], None]
    """Called once, before anything is sent; raises to stop it."""
    foresee: Callable[[SyncPlan], tuple[Question, ...]] = lambda _: ()
    """Returns what `approve` would ask; called in its place where nothing is to be changed."""
    base_key: str = ""
    """Names the host's tree in `bases`."""
    bases: Bases | None = None
    about: Callable[[], Origin] | None = None
    """Returns the origin with all that is to be known of it; asked when something is sent, while it is on its way."""
    take_over: bool = False
    dry_run: bool = False
    rehash: bool = False
    """Trust no times: the host reads all its files anew."""
    wait: float = 10.0
    """Seconds to wait for another sync of the same tree; may be infinite."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables that the user set for the host."""


class Syncer:
    """Syncs one host once; the tree is shared with the other hosts' workers."""

    def __init__(self, goal: SyncGoal, source: TreeSource, connect: Callable[[], Link], emit: Emit, stop: Stop) -> None:
        self._goal = goal
        self._source = source
        self._connect = connect
        self._emit = emit
        self._stop = stop
        self._link: Link | None = None

    def run(self) -> Outcome:
        """Connect and sync; return how it ended.

        Raises:
            ProvisionError: the host's tree is not what the project is; the message says why.
        """
        started = time.monotonic()
        self._source.start()
        try:
            self._link = self._connect()
            self._emit(Connected(time.monotonic() - started))
            for text in self._link.notes:
                self._emit(Note(text))
            return sync_once(self._link, self._goal, self._source, self._emit, self._stop)
        finally:
            self.close()

    def close(self) -> None:
        """Cut the link, from another thread: the worker then ends on its own."""
        if self._link is not None:
            self._link.close()


def sync_once(link: Link, goal: SyncGoal, source: TreeSource, emit: Emit, stop: Stop) -> Outcome:
    """Sync one host over a link that stays open.

    Raises:
        ProvisionError: the host's tree is not what the project is; the message says why.
    """
    source.start()
    past = Past()
    renewed = mended = False
    waiting = BusyWait(goal.wait, emit)
    while True:
        stop.between_steps()
        attempt = Attempt(goal, source, past, emit, stop)
        waiting.begin()
        try:
            return _converse(link, goal, attempt, waiting.asked, emit)
        except BusyError as error:
            waiting.judge(error, stop)
        except DamagedError as error:
            if mended:
                raise StepFailedError(str(error), hint="look at its disk, and run the same command again") from error
            mended = True
        except ChangedError as error:
            if renewed:
                raise StepFailedError(
                    f"files change while they are sent: {error}",
                    hint="end what writes them, or leave them out with a line in .provisionignore",
                ) from error
            source, renewed = source.renewed(), True
        except LinkLostError as error:
            _take_up(link, past, error, emit, stop)


def _converse(link: Link, goal: SyncGoal, attempt: Attempt, wait: float, emit: Emit) -> Outcome:
    program = catalogue.sync_tree(attempt.request(wait), goal.state_dir, goal.env)
    started = time.monotonic()
    code = None
    try:
        conversation = link.converse(program)
        try:
            outcome = attempt.run(conversation)
            code = 0
            return outcome
        finally:
            conversation.close()
    finally:
        emit(CommandRan(program.shown, code, time.monotonic() - started))


def _take_up(link: Link, past: Past, error: LinkLostError, emit: Emit, stop: Stop) -> None:
    """Connect again, so that the sync goes on where it was.

    Raises:
        UnreachableError: the host does not come back, or every link breaks at the same place.
    """
    emit(LinkLost(error.message))
    stop.between_steps()
    past.losses += 1
    past.losses_in_all += 1
    hopeless = past.losses > MOST_LOSSES
    if hopeless or past.losses_in_all > MOST_IN_ALL:
        count, more = (past.losses, "nothing") if hopeless else (past.losses_in_all, "hardly anything")
        # Mostly it says no more than that.
        why = error.message.removeprefix("the link was lost")
        why = f": {why.removeprefix(': ')}" if why == error.message or why.startswith(": ") else ""
        raise UnreachableError(
            f"the link was lost {count} times in a row, and {more} more arrived{why}",
            hint="what has arrived is kept there: run the same command again when the network is better",
            detail=error.detail,
        ) from error
    if past.losses_in_all > 1:
        stop.wait(min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** (past.losses_in_all - 2)))
        stop.between_steps()
    try:
        link.reconnect()
    except UnreachableError as gone:
        if gone.kind != UnreachableError.kind:
            raise
        raise UnreachableError(
            f"the link was lost and did not come back: {gone.message}",
            hint="what has arrived is kept there: run the same command again, and it goes on",
        ) from gone


class BusyWait:
    """How long another sync of the same tree is waited for: the host waits, and where it does not, we do."""

    def __init__(self, seconds: float, emit: Emit) -> None:
        self._until = time.monotonic() + seconds
        self._emit = emit
        self._told = False
        self._began = 0.0
        self._pause = SHORTEST_PAUSE
        self.asked = 0.0
        """Seconds that the host may wait in this conversation."""

    def begin(self) -> None:
        """Settle how long the host may wait in the next conversation."""
        most = LONGEST_WAIT if self._told else FIRST_WAIT
        self._began = time.monotonic()
        self.asked = round(max(0.0, min(most, self._until - self._began)), 1)

    def judge(self, error: BusyError, stop: Stop) -> None:
        """Wait on, and tell the user once for whom; raise where it has been long enough."""
        now = time.monotonic()
        if now >= self._until - 0.1:
            raise error
        if not self._told:
            self._emit(Waiting(error.message))
            self._told = True
        if now - self._began < self.asked / 2:
            stop.wait(min(self._pause, self._until - now))
            self._pause = min(LONGEST_PAUSE, self._pause * 2)
