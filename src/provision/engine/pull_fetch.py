"""Asks for files, several ahead, and puts what comes in its place once its hash is right."""

from __future__ import annotations

import errno
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import StepFailedError
from provision.events import SyncProgress
from provision.sync.manifest import EXECUTABLE
from provision.sync.pulling import (
    CHANGED,
    GREW,
    PIECE,
    UNREADABLE,
    BadMessageError,
    Ended,
    Listed,
    asks,
    ended,
    piece,
    update,
)
from provision.tree.pull_record import Source, Stamp
from provision.tree.pulled import InTheWayError

if TYPE_CHECKING:
    import os

    from provision.engine.pull_choice import Choice, Chooser, Wish
    from provision.engine.pull_stream import Stream
    from provision.events import Emit
    from provision.tree.pull_record import Record
    from provision.tree.pulled import Part, Place

AHEAD = 1000
"""Files that are asked for before the first of them is there."""
RESUMABLE = 4 * PIECE
"""Bytes of a file from which on its unfinished part is worth keeping."""
EVERY = 0.25
"""Seconds between two words on how far it is."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass
class Want:
    """A file that was asked for."""

    one: Listed
    offset: int
    compare: bool = False
    """Only its hash is wanted."""
    dead: bool = False
    """What comes of it is dropped."""
    again: bool = False
    """And it is asked for once more, from its beginning."""
    updated: bool = False
    begun: bool = False


@dataclass
class Held:
    """The file that is being written."""

    one: Listed
    part: Part


@dataclass
class Tally:
    """What a pull has done so far, over all its connections."""

    files: int = 0
    links: int = 0
    folders: int = 0
    """That were not here before."""
    bytes: int = 0
    wire_bytes: int = 0
    resumed_bytes: int = 0
    replaced: int = 0
    skipped: int = 0
    total_files: int = 0
    total_bytes: int = 0
    passed: int = 0
    """Bytes of the files that are settled, one way or another."""


class Fetcher:
    """Brings files into one place; lives as long as the pull, through any number of connections."""

    def __init__(self, place: Place, record: Record, wish: Wish, chooser: Chooser, emit: Emit) -> None:
        self._place = place
        self._record = record
        self._wish = wish
        self._chooser = chooser
        self._emit = emit
        self._held: Held | None = None
        self._tried: set[bytes] = set()
        self._told = 0.0
        self._choice: Choice
        self._stream: Stream
        self._queue: deque[Want] = deque()
        self._asked: deque[Want] = deque()
        self.tally = Tally()
        self.settled: set[bytes] = set()
        self.refused: dict[bytes, str] = {}
        self.notes: list[str] = []
        self.differing: list[Listed] = []
        """Of a dry run: what was compared and would come."""

    @property
    def position(self) -> int:
        """A number that grows with whatever comes: by it a lost link was worth something, or not."""
        return self.tally.passed + len(self.settled) + (self._held.part.length if self._held else 0)

    def close(self) -> None:
        """Let go; what is unfinished and large stays for the next time."""
        self._let_go(keep=True)
        self._record.save()

    def here(self, choice: Choice) -> int:
        """Return how many bytes of what is to come are here already, unfinished."""
        return sum(self._have(one) for one in choice.fetch)

    def fetch(self, choice: Choice, stream: Stream) -> None:
        """Bring everything that was chosen; in a dry run, compare what is to be compared, and write nothing.

        Raises:
            BadMessageError: the host does not say what our program says.
            LinkLostError: the link is gone; call it again with another one.
            StepFailedError: there is no room left here.
        """
        self._choice, self._stream = choice, stream
        self._asked = deque()
        self._queue = deque(Want(one, one.size, compare=True) for one in choice.compare)
        if not self._wish.dry_run:
            self._queue.extend(Want(one, 0) for one in choice.fetch)
        while self._queue or self._asked:
            self._ask()
            found = stream.next()
            self._progress()
            if found is None:
                continue
            if not self._asked:
                raise BadMessageError("something that was not asked for")
            self._take(self._asked[0], *found)
        self._progress(last=True)

    def _ask(self) -> None:
        if not self._queue or len(self._asked) > AHEAD // 2:
            return
        batch: list[Want] = []
        while self._queue and len(self._asked) + len(batch) < AHEAD:
            want = self._queue.popleft()
            if not want.compare:
                want.offset = self._have(want.one)
            batch.append(want)
        self._asked.extend(batch)
        self._stream.send(asks([(want.one.number, want.offset) for want in batch]))

    def _have(self, one: Listed) -> int:
        """Return how much of the file is here from an earlier connection or an earlier pull."""
        held = self._held
        if held is not None and held.one.path == one.path:
            if (held.one.size, held.one.mtime_ns) == (one.size, one.mtime_ns) and one.path not in self._tried:
                return held.part.length
            self._let_go(keep=False)
            return 0
        if one.size < RESUMABLE or one.path in self._tried:
            return 0
        if self._record.source(self._key(one)) != self._source(one):
            return 0
        try:
            found = self._place.unfinished(self._chooser.parts(one))
        except (InTheWayError, OSError):
            return 0
        return found if found <= one.size else 0

    def _take(self, want: Want, kind: bytes, payload: bytes) -> None:
        if kind == b"U":
            self._updated(want, payload)
        elif kind == b"D":
            self._content(want, payload)
        elif kind == b"F":
            found = ended(payload)
            self._same(want, found.number)
            self._asked.popleft()
            self._ended(want, found)
        else:
            raise BadMessageError(f"a message of kind {kind!r} among the files")

    @staticmethod
    def _same(want: Want, number: int) -> None:
        if number != want.one.number:
            raise BadMessageError(f"file {number} where file {want.one.number} was due")

    def _updated(self, want: Want, payload: bytes) -> None:
        found = update(payload)
        self._same(want, found.number)
        if want.updated or want.begun:
            raise BadMessageError("an update in the middle of a file")
        want.updated = True
        want.one = want.one._replace(size=found.size, mtime_ns=found.mtime_ns)
        want.offset = 0
        if want.compare:
            # It is no longer what was compared: it comes whole, later.
            want.dead = want.again = True
            return
        if found.size > self._place.free_bytes():
            raise no_room()
        if self._held is not None and self._held.one.path == want.one.path:
            self._held.one = want.one
            self._held.part.restart()

    def _content(self, want: Want, payload: bytes) -> None:
        found = piece(payload)
        self._same(want, found.number)
        part = self._begin(want)
        if part is None:
            return
        if found.offset != part.length or found.offset + len(found.content) > want.one.size:
            raise BadMessageError("content at a place where none was due")
        try:
            part.write(found.content)
        except OSError as error:
            raise (
                no_room()
                if error.errno in NO_ROOM
                else StepFailedError(f"cannot be written here: {error.strerror or error}")
            ) from error
        self.tally.bytes += len(found.content)

    def _begin(self, want: Want) -> Part | None:
        """Return the file to write to; ``None`` where what comes is dropped."""
        if want.dead:
            return None
        if want.compare:
            raise BadMessageError("content where only a hash was due")
        if want.begun or (self._held is not None and self._held.one.path == want.one.path):
            want.begun = True
            return self._held.part if self._held else None
        self._let_go(keep=True)
        want.begun = True
        try:
            part = self._place.part(self._chooser.parts(want.one), resume=want.offset > 0)
        except (InTheWayError, OSError) as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise no_room() from error
            self._settle(want.one, self._chooser.why(want.one, error))
            want.dead = True
            return None
        self._held = Held(want.one, part)
        if part.length != want.offset:
            part.restart()
            want.dead = want.again = want.offset > 0
            return None if want.dead else part
        self.tally.resumed_bytes += part.length
        if want.one.size >= RESUMABLE:
            self._record.began(self._key(want.one), self._source(want.one))
        return part

    def _ended(self, want: Want, found: Ended) -> None:
        if found.how == UNREADABLE:
            self._let_go(keep=False)
            self._settle(want.one, f"on the host: {found.why or 'cannot be read'}")
            return
        if want.compare and not want.dead:
            self._compared(want.one, found)
            return
        part = self._begin(want)
        if part is None:
            there = self._choice.there.get(want.one.number)
            if want.compare and there is not None and not self._chooser.may_replace(want.one, there):
                self._settle(want.one, self._chooser.differs(want.one))
            elif want.again and want.one.path not in self.settled:
                self._whole(want.one)
            return
        if found.how == CHANGED:
            self._once_more(want.one, "keeps changing on the host while it is read")
        elif found.length != want.one.size or part.length != found.length or part.sha256.digest() != found.sha256:
            self._once_more(want.one, "did not arrive as the host has it")
        else:
            self._put(want.one, part, grew=found.how == GREW)

    def _once_more(self, one: Listed, why: str) -> None:
        self._let_go(keep=False)
        if one.path in self._tried:
            self._settle(one, why)
            return
        self._tried.add(one.path)
        self._queue.append(Want(one, 0))

    def _compared(self, one: Listed, found: Ended) -> None:
        there = self._choice.there[one.number]
        if found.length == one.size and self._place.digest(self._chooser.parts(one)) == found.sha256:
            self.tally.skipped += 1
            self._settle(one)
        elif self._chooser.may_replace(one, there):
            self._whole(one)
        else:
            self._settle(one, self._chooser.differs(one))

    def _whole(self, one: Listed) -> None:
        """Ask for what was compared and is another one; a dry run only remembers it."""
        if self._wish.dry_run:
            self.differing.append(one)
            self._settle(one)
        else:
            self._queue.append(Want(one, 0))

    def _put(self, one: Listed, part: Part, *, grew: bool) -> None:
        there: os.stat_result | None = self._choice.there.get(one.number)
        try:
            now = part.place(one.mtime_ns, there, executable=one.kind == EXECUTABLE)
        except (InTheWayError, OSError) as error:
            self._let_go(keep=False)
            self._settle(one, self._chooser.why(one, error))
            return
        self._record.brought(self._key(one), Stamp(now.st_size, now.st_mtime_ns, one.size, one.mtime_ns))
        self._let_go(keep=False)
        self.tally.files += 1
        self.tally.replaced += there is not None
        if grew:
            self.notes.append(f"{one.path.decode('utf-8', 'replace')} grew on the host while it was pulled")
        self._settle(one)

    def _settle(self, one: Listed, refused: str = "") -> None:
        self.settled.add(one.path)
        self.tally.passed += one.size
        if refused:
            self.refused[one.path] = refused

    def _let_go(self, *, keep: bool) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        worth = keep and held.one.size >= RESUMABLE and held.one.path not in self.settled
        held.part.close(keep=worth)
        if held.one.size >= RESUMABLE and not (worth and held.part.length):
            self._record.ended(self._key(held.one))

    def _progress(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if now - self._told < EVERY and not last:
            return
        self._told = now
        at = self.tally.passed + (self._held.part.length if self._held else 0)
        total = self.tally.total_bytes
        self._emit(SyncProgress(len(self.settled), self.tally.total_files, min(at, total), total))

    def _key(self, one: Listed) -> bytes:
        return b"/".join(self._chooser.parts(one))

    def _source(self, one: Listed) -> Source:
        path = f"{self._wish.root}\n{self._wish.path}\n{one.path.decode('utf-8', 'surrogateescape')}"
        return Source(self._wish.host, path, one.size, one.mtime_ns)


def no_room() -> StepFailedError:
    """Return the error of a full disk of ours."""
    return StepFailedError("there is no room left on this machine's disk", hint="make room, and run it again to go on")
