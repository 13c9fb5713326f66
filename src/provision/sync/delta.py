"""What must happen on a host so that its tree becomes the one that is meant."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.model.sync import SyncPlan
from provision.sync import wire
from provision.sync.manifest import EMPTY, LINK, Entry, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COPY = 64 << 10
"""Bytes from which on content is looked for under the host's other paths: below, sending is as cheap as asking."""
ALLOCATED = 4096
"""Bytes in which file systems give out room."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A difference, every part of it in the paths' order."""

    send: tuple[bytes, ...] = ()
    """Their content travels."""
    staged: tuple[bytes, ...] = ()
    """An earlier, broken sync brought them already."""
    copied: tuple[tuple[bytes, bytes], ...] = ()
    """Path, and the path under which the host has its content."""
    modes: tuple[bytes, ...] = ()
    removed: tuple[bytes, ...] = ()
    kept: tuple[bytes, ...] = ()
    """Changed on the host: kept aside there before they are replaced or removed."""
    missing: tuple[bytes, ...] = ()
    """Somebody removed them on the host; they come again."""

    @property
    def empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.send or self.staged or self.copied or self.modes or self.removed)

    def records(self, target: Manifest) -> bytes:
        """Return the records that carry no content; they go first, so that what is staged is soon accounted for."""
        parts = [wire.staged_record(target.entry(path).kind, path) for path in self.staged]
        for path, source in self.copied:
            kind, size, sha256 = target.entry(path)
            parts.append(wire.copy_record(kind, path, source, size, sha256))
        parts.extend(wire.mode_record(target.entry(path).kind, path) for path in self.modes)
        parts.extend(wire.remove_record(path) for path in self.removed)
        return b"".join(parts)

    def trial(self, target: Manifest) -> bytes:
        """Return the records of all this without any content, for a host that only says what it would meet."""
        placed = (*self.send, *self.staged, *(path for path, _ in self.copied))
        parts = [wire.tried_record(path, target.entry(path)) for path in placed]
        parts.extend(wire.mode_record(target.entry(path).kind, path) for path in self.modes)
        parts.extend(wire.remove_record(path) for path in self.removed)
        return b"".join((*parts, wire.end_record(bytes.fromhex(target.id))))

    def plan(self, tree: str, files: int, size: int) -> SyncPlan:
        """Return this as the user is told; `size` is what is sent, in bytes."""
        placed = (*self.send, *self.staged, *(path for path, _ in self.copied), *self.modes)
        return SyncPlan(
            tree,
            files,
            texts(sorted(placed)),
            texts(self.removed),
            size,
            texts(self.kept),
            texts(self.missing),
        )


def between(host: Manifest, changed: Mapping[bytes, str], target: Manifest, staged: Manifest = EMPTY) -> Delta:
    """Return what makes `target` of a host that has `host`, but for what was `changed` there since.

    Raises:
        ValueError: something changed that the host does not have.
    """
    have, want = host.records, target.records
    if any(path not in have for path in changed):
        raise ValueError("a path changed that is none of the host's")
    send: list[bytes] = []
    used: list[bytes] = []
    modes: list[bytes] = []
    different = {path for path, record in want.items() if have.get(path) != record}
    for path in sorted(different.union(path for path in changed if path in want)):
        there, entry = (host.entry(path) if path in have else None), target.entry(path)
        if changed.get(path) in (None, "mode") and there is not None and _same_content(there, entry):
            modes.append(path)
        elif staged.records.get(path) == want[path]:
            used.append(path)
        else:
            send.append(path)
    copied = _copies(host, changed, target, send)
    copies = {path for path, _ in copied}
    removed = tuple(path for path in have if path not in want)
    touched = {*send, *used, *copies, *removed}
    return Delta(
        send=tuple(path for path in send if path not in copies),
        staged=tuple(used),
        copied=tuple(copied),
        modes=tuple(modes),
        removed=removed,
        kept=tuple(sorted(path for path, how in changed.items() if how in ("content", "type") and path in touched)),
        missing=tuple(sorted(path for path, how in changed.items() if how == "missing" and path in want)),
    )


def room(sizes: Iterable[int]) -> int:
    """Return the bytes that files of these sizes take on a disk."""
    return sum(-(-size // ALLOCATED) * ALLOCATED for size in sizes)


def texts(paths: Iterable[bytes]) -> tuple[str, ...]:
    """Return paths as text; bytes that are no UTF-8 become surrogates."""
    return tuple(map(os.fsdecode, paths))


def _same_content(there: Entry, entry: Entry) -> bool:
    return there[1:] == entry[1:] and LINK not in (there.kind, entry.kind)


def _copies(
    host: Manifest, changed: Mapping[bytes, str], target: Manifest, send: list[bytes]
) -> list[tuple[bytes, bytes]]:
    want = {path: target.entry(path) for path in send}
    wanted = {entry[1:] for entry in want.values() if entry.size >= COPY and entry.kind != LINK}
    if not wanted:
        return []
    sources: dict[tuple[int, bytes], bytes] = {}
    for path, entry in host.entries.items():
        if entry[1:] in wanted and entry.kind != LINK and changed.get(path) in (None, "mode"):
            sources.setdefault(entry[1:], path)
    return [(path, sources[want[path][1:]]) for path in send if want[path][1:] in sources and want[path].kind != LINK]
