"""Sees one upload through: until the host has placed it, the link is lost, or the user ends it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provision.engine.exchange import LOOK, ChangedError, misunderstood
from provision.errors import InterruptedRunError, LinkLostError, StepFailedError
from provision.sync.answers import placed_of
from provision.sync.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.engine.exchange import Exchange
    from provision.engine.stop import Stop
    from provision.engine.upload import Progress, Upload
    from provision.sync.answers import Placed
    from provision.tree.archive import TreeSource
    from provision.tree.packing import Archive

LAST_WORD = 5.0
"""Seconds in which the host may still say why it takes nothing more, or save what it has."""


def sent(exchange: Exchange, upload: Upload, progress: Progress, stop: Stop) -> Placed:
    """Send it, and return what the host made of it.

    Raises:
        LinkLostError: the link broke; the host keeps what has arrived.
        ChangedError: files changed while they were sent, or what was there already is damaged.
        StepFailedError: the host refused, or answers nonsense.
        InterruptedRunError: the user ended it.
    """
    upload.start()
    lost_at = 0.0
    try:
        while True:
            message = exchange.next(LOOK)
            if progress.told() or upload.waiting:
                exchange.moved()
            if message is not None and message[0] == b"R":
                placed = placed_of(message[1])
                upload.join(LAST_WORD)
                return placed
            if message is not None and message[0] != b"M":
                raise misunderstood(f"a message of type {message[0]!r} in the middle of a transfer")
            error = upload.error
            if isinstance(error, LinkLostError):
                # The host may have said why it takes nothing more.
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > LAST_WORD:
                    raise error
            elif error is not None:
                raise error
            if stop.asked and upload.target is None:
                _quit(exchange, upload, stop)
            stop.during_step()
    finally:
        if upload.running:
            exchange.conversation.close()
            upload.join(LAST_WORD)


def settled(source: TreeSource, archive: Archive, host: Manifest) -> tuple[Manifest, Sequence[bytes]]:
    """Return the tree that was really sent, and what of the host's turned out to be gone while it was."""
    manifest = source.manifest()
    if not archive.actual:
        return manifest, ()
    entries = dict(manifest.entries)
    gone = []
    for path, entry in archive.actual.items():
        if entry is not None:
            entries[path] = entry
            continue
        entries.pop(path, None)
        if path in host.records:
            gone.append(path)
    return Manifest.of(entries), gone


def _quit(exchange: Exchange, upload: Upload, stop: Stop) -> None:
    """End in the middle: the host is told, so that it keeps what it has; its old tree is as it was.

    Raises:
        InterruptedRunError: always.
    """
    upload.quit()
    deadline = time.monotonic() + LAST_WORD
    while time.monotonic() < deadline and not stop.now:
        try:
            exchange.next(LOOK)
        except (LinkLostError, StepFailedError, ChangedError):
            break
    raise InterruptedRunError(
        "stopped on request: the host's tree is as it was",
        hint="run the same command again: what has arrived is not sent again",
    )
