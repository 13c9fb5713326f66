"""Supplies a host that has no way out: archives are fetched here once, checked, and sent over the same connection."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from provision.engine.our_packages import PIECE, Progress, bring
from provision.engine.perform import failed
from provision.errors import LinkLostError, StepFailedError
from provision.events import CommandRan, StepOutput
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from provision.engine.perform import Performer
    from provision.model.plan import Archive, Step, Supply

MOST_LOSSES = 20
"""Lost links in a row between which nothing more arrived."""


def supply(performer: Performer, step: Step, what: Supply) -> None:
    """Have every archive in the host's cache.

    Raises:
        StepFailedError: one of them is nowhere to be had, or the host cannot write it.
        LinkLostError: the link is lost again and again.
    """
    losses, most = 0, (-1, -1)
    while True:
        lacking = _missing(performer, step, what)
        if not lacking:
            return
        there = len(what.archives) - len(lacking), sum(lacking.values())
        losses, most = (0, there) if there > most else (losses + 1, most)
        archives = [one for one in what.archives if one.path in lacking]
        files = bring(archives, lambda text: performer.emit(StepOutput(text)), performer.stop.during_step)
        try:
            _send(performer, step, what, [(one, files[one.sha256], lacking[one.path]) for one in archives])
        except LinkLostError as error:
            if losses > MOST_LOSSES:
                raise
            performer.recover(error)


def _missing(performer: Performer, step: Step, what: Supply) -> dict[str, int]:
    """Return the paths of what the host lacks, each with the bytes that it has of it."""
    asked = json.dumps([[one.path, one.sha256] for one in what.archives]).encode()
    done = performer.command(catalogue.receive_packages(what.interpreter, what.folder, "missing", asked))
    if done.code != 0:
        raise failed(step.name, done.code, done.stderr.decode("utf-8", "replace"), None)
    try:
        answer = json.loads(done.stdout)
        return {str(path): int(size) for path, size in answer}
    except (ValueError, TypeError) as error:
        raise StepFailedError(f"{step.name}: the host did not say what it has") from error


def _send(performer: Performer, step: Step, what: Supply, files: Sequence[tuple[Archive, Path, int]]) -> None:
    program = catalogue.receive_packages(what.interpreter, what.folder, "take", b"")
    sizes = [path.stat().st_size for _, path, _ in files]
    performer.emit(StepOutput(f"sending {len(files)} packages ({sum(sizes) / 1e6:.1f} MB)"))
    stream = _Frames(performer, files)
    started = time.monotonic()
    try:
        done = performer.link.run(program, stream=stream)  # type: ignore[arg-type]
    except LinkLostError:
        performer.emit(CommandRan(program.shown, None, time.monotonic() - started))
        raise
    performer.emit(CommandRan(program.shown, done.code, done.seconds))
    if done.code != 0:
        raise failed(step.name, done.code, done.stderr.decode("utf-8", "replace"), None)


class _Frames:
    """The stream that the host reads: for each archive a line that tells of it, then its bytes."""

    def __init__(self, performer: Performer, files: Sequence[tuple[Archive, Path, int]]) -> None:
        self._performer = performer
        self._progress = Progress(lambda text: performer.emit(StepOutput(text)), "sent", len(files))
        self._pieces = self._all(files)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; none: that was all."""
        self._performer.stop.during_step()
        self._progress.tell()
        if not self._rest:
            self._rest = next(self._pieces, b"")
        piece, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return piece

    def _all(self, files: Sequence[tuple[Archive, Path, int]]) -> Iterator[bytes]:
        for archive, path, have in files:
            size = path.stat().st_size
            offset = have if have <= size else 0
            about = {"path": archive.path, "sha256": archive.sha256, "size": size, "offset": offset}
            yield json.dumps(about).encode() + b"\n"
            with path.open("rb") as file:
                file.seek(offset)
                while piece := file.read(PIECE):
                    self._progress.add(0, len(piece))
                    yield piece
            self._progress.add(1, 0)
