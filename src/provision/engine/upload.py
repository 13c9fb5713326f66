"""Sends what a host lacks, in a thread of its own: while it waits for the host's window, the worker listens."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from provision.engine.exchange import HEARTBEAT, ChangedError
from provision.errors import LinkLostError
from provision.events import SyncProgress
from provision.sync import wire
from provision.sync.codec import encoder, is_dense
from provision.tree.reading import open_big

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provision.events import Emit
    from provision.model.link import Conversation
    from provision.model.sync import SyncPlan
    from provision.sync.manifest import Manifest
    from provision.tree.packing import Archive, Big

GATHER = 0.05
"""Seconds in which more is waited for before a small piece goes alone."""
READ = 1 << 20
TOLD = 0.25
"""Seconds between two events that tell the progress."""


class QuitError(Exception):
    """The user asked to end the sending."""


class Upload:
    """One host's stream: first what needs no content, then the small files, the big ones, and the end."""

    def __init__(
        self,
        conversation: Conversation,
        archive: Archive,
        *,
        head: bytes,
        codec: str,
        partial: Mapping[str, int],
        settled: Callable[[], tuple[Manifest, Sequence[bytes]]],
        about: Callable[[], bytes],
    ) -> None:
        self._conversation = conversation
        self._archive = archive
        self._head = head
        self._codec = codec
        self._partial = partial
        self._settled = settled
        self._about = about
        self._said = b""
        self._out: list[bytes] = []
        self._out_size = 0
        self._spoke = time.monotonic()
        self._quit = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provision-upload", daemon=True)
        self.files = 0
        self.bytes = 0
        """Of content, handed to the link; not what was there already."""
        self.wire_bytes = 0
        self.waiting = False
        """Whether nothing can be sent until more of the project was read."""
        self._brought: dict[tuple[int, bytes], bytes] = {}
        self.target: Manifest | None = None
        """What was really sent; set when all of it was."""
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def quit(self) -> None:
        """End after the present piece, and tell the host, so that it keeps what it has."""
        self._quit.set()

    @property
    def running(self) -> bool:
        """Whether something is still being sent."""
        return self._thread.is_alive()

    def join(self, seconds: float) -> None:
        """Wait for the end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._send_all()
        except QuitError:
            self._bow_out()
        except BaseException as error:  # noqa: BLE001 - the worker raises it
            self.error = error

    def _send_all(self) -> None:
        coder = encoder(self._codec)
        asking = threading.Thread(target=self._ask, name="provision-origin", daemon=True)
        asking.start()
        self._put(wire.start(self._codec))
        if self._head:
            self._code(coder.write(self._head) + coder.end())
        for piece in self._archive.pieces(GATHER):
            if piece is None:
                self._idle()
                continue
            self._code(piece.coded)
            self.files, self.bytes = piece.files, piece.bytes
        for big in self._archive.bigs(GATHER):
            if big is None:
                self._idle()
                continue
            try:
                self._send_big(big)
            except OSError as error:
                raise ChangedError(os.fsdecode(big.path)) from error
        target, gone = self._settled()
        asking.join()
        if self._said:
            self._put(wire.block(b"O", self._said))
        tail = b"".join(map(wire.remove_record, gone)) + wire.end_record(bytes.fromhex(target.id))
        self._code(coder.write(tail) + coder.end())
        # An empty piece ends the stream: a decoder that reads ahead waits for no more.
        self._put(wire.block(b"D"))
        self._flush()
        self._conversation.finish()
        self.target = target

    def _ask(self) -> None:
        self._said = self._about()

    def _send_big(self, big: Big) -> None:
        path, kind, size, sha256 = big
        twin = self._brought.setdefault((size, sha256), path)
        if twin != path:
            coder = encoder(self._codec)
            self._code(coder.write(wire.copy_record(kind, path, twin, size, sha256)) + coder.end())
            self.files, self.bytes = self.files + 1, self.bytes + size
            return
        offset = min(self._partial.get(sha256.hex(), 0), size)
        coder = encoder(self._codec)
        with open_big(self._archive.scan, path) as file:
            before = os.fstat(file.fileno())
            if before.st_size != size:
                raise ChangedError(os.fsdecode(path))
            raw = is_dense(path, size, os.pread(file.fileno(), 64 << 10, 0))
            self._code(coder.write(wire.big_head(kind, path, size, sha256, offset), raw=raw))
            file.seek(offset)
            left = size - offset
            while left:
                piece = file.read(min(READ, left))
                if not piece:
                    raise ChangedError(os.fsdecode(path))
                left -= len(piece)
                self._code(coder.write(piece, raw=raw))
                self.bytes += len(piece)
            self._code(coder.end())
            after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise ChangedError(os.fsdecode(path))
        self.files += 1

    def _code(self, coded: bytes) -> None:
        for at in range(0, len(coded), wire.PIECE):
            self._put(wire.block(b"D", coded[at : at + wire.PIECE]))
            self.wire_bytes += len(coded[at : at + wire.PIECE])
        if self._quit.is_set():
            raise QuitError

    def _put(self, block: bytes) -> None:
        self.waiting = False
        self._out.append(block)
        self._out_size += len(block)
        if self._out_size >= wire.PIECE:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._out)
        self._out, self._out_size = [], 0
        if data:
            self._conversation.send(data)
            self._spoke = time.monotonic()

    def _idle(self) -> None:
        if self._quit.is_set():
            raise QuitError
        self._flush()
        if time.monotonic() - self._spoke >= HEARTBEAT:
            self._put(wire.block(b"H"))
            self._flush()
        self.waiting = True

    def _bow_out(self) -> None:
        self._out.append(wire.block(b"Q"))
        try:
            self._flush()
            self._conversation.finish()
        except (LinkLostError, OSError) as error:
            self.error = error


class Progress:
    """Tells the progress of an upload, not too often."""

    def __init__(self, upload: Upload, plan: SyncPlan, emit: Emit) -> None:
        self._upload = upload
        self._plan = plan
        self._emit = emit
        self._last = (-1, -1)
        self._at = 0.0

    def told(self) -> bool:
        """Tell it where it is time; return whether something moved since it was told."""
        upload = self._upload
        now = (upload.files, upload.bytes)
        if now == self._last or time.monotonic() - self._at < TOLD:
            return False
        self._last, self._at = now, time.monotonic()
        plan = self._plan
        self._emit(SyncProgress(upload.files, plan.travelling, upload.bytes, plan.bytes))
        return True
