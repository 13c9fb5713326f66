"""Some paths of a tree on their way into a coded stream, read once for all hosts that need them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from provision.errors import StepFailedError
from provision.sync.codec import SAMPLE, encoder, is_dense
from provision.sync.manifest import LINK, Entry
from provision.sync.wire import BIG, file_head, link_record
from provision.tree.reading import Content, read
from provision.tree.spool import Piece, Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from provision.tree.listing import Scan


class Big(NamedTuple):
    """A file that each host's sender reads itself."""

    path: bytes
    kind: int
    size: int
    sha256: bytes


class Archive:
    """Some paths of a tree, on their way into a coded stream; read along by a sender for each host."""

    def __init__(
        self,
        scan: Scan,
        wanted: Sequence[tuple[bytes, int, Entry | None]],
        codec: str,
        learn: Callable[[int, Content], None] | None = None,
    ) -> None:
        self.scan = scan
        self._learn = learn
        self.actual: dict[bytes, Entry | None] = {}
        """Entries that turned out other than expected, or were unknown; ``None``: gone. Complete at the end."""
        self._wanted = wanted
        self._codec = codec
        self._spool = Spool()
        self._bigs: list[Big] = []
        self._more = threading.Condition()
        self._over = False
        self._error: BaseException | None = None
        self._closed = False

    def produce(self) -> None:
        """Read everything; each reader ends with the error that this ends with."""
        try:
            later = self._small_ones()
            self._spool.end()
            for number in later:
                self._take(number)
            self._finish(None)
        except BaseException as error:
            self._spool.fail(error)
            self._finish(error)
            if not isinstance(error, Exception):
                raise

    def pieces(self, patience: float) -> Iterator[Piece | None]:
        """Return the coded records of the small files and links; ``None`` when none came in `patience` seconds."""
        return self._spool.pieces(patience)

    def bigs(self, patience: float) -> Iterator[Big | None]:
        """Return the big files; ``None`` when none came in `patience` seconds.

        Raises:
            StepFailedError: one could not be read.
        """
        at = 0
        while True:
            with self._more:
                if at == len(self._bigs) and not self._over:
                    self._more.wait(patience)
                big = self._bigs[at] if at < len(self._bigs) else None
                over, error = self._over, self._error
            if big is None and over:
                if error is not None:
                    raise error
                return
            at += big is not None
            yield big

    def judge(self) -> None:
        """Raise what it could not be produced for."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop, and give the room free."""
        self._closed = True
        self._spool.close()

    def _small_ones(self) -> list[int]:
        coder = encoder(self._codec)
        later = []
        for number, (path, kind, known) in enumerate(self._wanted):
            self._alive()
            # Where nothing is known, everything is wanted, in the scan's order.
            size = known.size if known is not None else self.scan.sizes[number]
            if kind != LINK and size >= BIG:
                later.append(number)
                continue
            content = self._take(number)
            if content is None:
                continue
            entry, data = content
            if entry.kind == LINK:
                coded = coder.write(link_record(path, data))
            else:
                raw = is_dense(path, entry.size, data[:SAMPLE])
                coded = coder.write(file_head(entry.kind, path, entry.size) + data, raw=raw)
            self._spool.write(coded, files=1, size=entry.size)
        self._spool.write(coder.end())
        return later

    def _take(self, number: int) -> tuple[Entry, bytes] | None:
        """Read a path and note what is there; return its content where that is small."""
        path, kind, known = self._wanted[number]
        content = read(self.scan, path, kind, known=known, alive=self._alive)
        if content is None:
            self.actual[path] = None
            return None
        if content.entry != known:
            self.actual[path] = content.entry
            if self._learn is not None:
                self._learn(number, content)
        if content.data is None:
            with self._more:
                self._bigs.append(Big(path, *content.entry))
                self._more.notify_all()
            return None
        return content.entry, content.data

    def _alive(self) -> None:
        if self._closed:
            raise StepFailedError("the run ended while files were read")

    def _finish(self, error: BaseException | None) -> None:
        with self._more:
            self._error, self._over = error, True
            self._more.notify_all()
