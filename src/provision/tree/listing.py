"""The project's tree as it is now: each path with kind and size, and its hash where nothing must be read for it."""

from __future__ import annotations

import gc
import hashlib
import os
import stat
import time
from typing import TYPE_CHECKING

from provision.sync.manifest import EXECUTABLE, FILE, LINK, Entry, Manifest
from provision.tree import index
from provision.tree.counted import Counted
from provision.tree.outside import followed, leads_out, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from provision.tree.index import Index, Record
    from provision.tree.outside import OutsideLinks
    from provision.tree.state import TreeState


class VanishedError(OSError):
    """What was a file when the tree was scanned is none any more."""


class Scan:
    """A tree, as parallel lists in the order of the paths."""

    def __init__(self, root: bytes, state: TreeState | None) -> None:
        self.root = root
        self.paths: list[bytes] = []
        self.kinds: list[int] = []
        """`FILE`, `EXECUTABLE` or `LINK` of the manifest."""
        self.sizes: list[int] = []
        """Bytes of the content; of a link, of its target."""
        self.hashes: list[bytes | None] = []
        """SHA-256; ``None`` where the file must be read for it, which is never so for links."""
        self.followed: dict[bytes, bytes] = {}
        """Of files that a link out of the tree leads to: where they really are."""
        self.notes: list[str] = []
        self.skipped: list[tuple[bytes, str]] = []
        """What the project has and no host can get, and why."""
        self._state = state
        self._records: list[Record] = []
        self._changed = False

    def learn(self, position: int, sha256: bytes, status: os.stat_result, /) -> None:
        """Take what the reading of a file found.

        Args:
            position: Which path.
            sha256: Of its content.
            status: Its stat, the same before and after the reading.
        """
        self.hashes[position] = sha256
        self.sizes[position] = status.st_size
        self.kinds[position] = EXECUTABLE if status.st_mode & stat.S_IXUSR else FILE
        record = index.record(status, sha256, time.time_ns())
        if record != self._records[position]:
            self._records[position] = record
            self._changed = True

    def save(self) -> None:
        """Keep what was learnt for the next scan; where that cannot be, a note says so."""
        if self._state is not None and self._changed:
            note = index.save(self._state.index, self.paths, self._records)
            self._changed = False
            if note is not None:
                self.notes.append(note)

    def manifest(self) -> Manifest:
        """Return the tree's manifest.

        Raises:
            ValueError: the hash of a file is not known yet.
        """
        entries = {}
        for path, kind, size, sha256 in zip(self.paths, self.kinds, self.sizes, self.hashes, strict=True):
            if sha256 is None:
                raise ValueError(f"not read yet: {os.fsdecode(path)}")
            entries[path] = Entry(kind, size, sha256)
        return Manifest.of(entries)

    def fill(self, counted: Counted, targets: dict[bytes, bytes], known: Index, *, rehash: bool) -> None:
        """Take what counts, where the links point, and what the index knows of the files."""
        found = counted.found
        self.notes += counted.notes
        self.skipped += counted.skipped
        self.paths = [path for path, _ in found]
        self._records = list(known.of(self.paths))
        self._changed = known.names != index.joined(self.paths)
        kinds, sizes, hashes = self.kinds, self.sizes, self.hashes
        # Nothing here is done twice or by a call that is not needed: this is most of an unchanged tree's time.
        for (path, status), (size, mtime, ctime, inode, mode, sha256) in zip(found, self._records, strict=True):
            actual = status.st_mode
            if (
                actual == mode
                and status.st_size == size
                and status.st_mtime_ns == mtime
                and status.st_ctime_ns == ctime
                and status.st_ino == inode
                and not rehash
            ):
                kinds.append(EXECUTABLE if actual & 0o100 else FILE)
                sizes.append(size)
                hashes.append(sha256)
            elif path in targets:
                target = targets[path]
                kinds.append(LINK)
                sizes.append(len(target))
                hashes.append(hashlib.sha256(target).digest())
            else:
                kinds.append(EXECUTABLE if actual & 0o100 else FILE)
                sizes.append(status.st_size)
                hashes.append(None)


def scan_tree(
    root: Path,
    *,
    include: tuple[str, ...] = (),
    outside_links: OutsideLinks = "refuse",
    state: TreeState | None = None,
    rehash: bool = False,
) -> Scan:
    """Look at the project's files.

    Args:
        root: The project's.
        include: Paths that count although an ignore file leaves them out.
        outside_links: What becomes of links that point out of the tree.
        state: Where the index is; none: everything must be read.
        rehash: Trust no index.

    Raises:
        UsageError: the files cannot be listed, or a link points out of the tree and that is not settled.
    """
    place = os.path.abspath(os.fsencode(root))
    scan = Scan(place, state)
    known = index.EMPTY

    def load() -> None:
        nonlocal known
        if state is not None:
            known = index.load(state.index)

    collecting = gc.isenabled()
    gc.disable()  # a hundred thousand small values are made and kept: looking for rings among them costs a tenth of all
    try:
        counted = Counted(place)
        counted.fill(include, load)
        scan.fill(counted, _settled_links(scan, counted, outside_links), known, rehash=rehash)
    finally:
        if collecting:
            gc.enable()
    return scan


def open_file(scan: Scan, path: bytes) -> int:
    """Open a file of the tree for reading; return its descriptor.

    Raises:
        VanishedError: there is no file any more.
        OSError: it cannot be opened.
    """
    real = scan.followed.get(path)
    place = os.path.join(scan.root, path) if real is None else real
    try:
        # Without O_NONBLOCK a pipe that took the file's place would hold us for ever.
        opened = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        raise
    except OSError as error:
        raise VanishedError(error.errno, error.strerror, os.fsdecode(path)) from None
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise VanishedError("not a file any more", os.fsdecode(path))
    return opened


def _settled_links(scan: Scan, counted: Counted, outside: OutsideLinks) -> dict[bytes, bytes]:
    """Return where each link points, those out of the tree being dealt with."""
    targets: dict[bytes, bytes] = {}
    gone: set[bytes] = set()
    for path in counted.links:
        try:
            targets[path] = os.readlink(os.path.join(scan.root, path))
        except OSError:
            gone.add(path)  # replaced since we looked at it
    leading = [one for one in targets.items() if leads_out(scan.root, *one)]
    if leading or gone:
        _dealt_with(scan, counted, leading, gone, outside)
    for path, _ in leading:
        del targets[path]
    return targets


def _dealt_with(
    scan: Scan, counted: Counted, leading: list[tuple[bytes, bytes]], gone: set[bytes], outside: OutsideLinks
) -> None:
    if leading and outside == "refuse":
        raise refusal(leading)
    away = gone.union(path for path, _ in leading)
    counted.found = [one for one in counted.found if one[0] not in away]
    for path, target in leading:
        if outside == "skip":
            scan.skipped.append((path, f"links: skip, as it points out of the project: {os.fsdecode(target)}"))
            continue
        files, skipped = followed(scan.root, path)
        scan.skipped += skipped
        scan.notes += [f"{os.fsdecode(name)} is not sent: {why}" for name, why in skipped]
        for name, real in files:
            if counted.provisionignore.judge(name) is None:
                counted.found.append((name, os.stat(real)))
                scan.followed[name] = real
    counted.found.sort()
