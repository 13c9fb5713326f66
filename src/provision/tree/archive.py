"""One tree for any number of hosts: scanned once, read once, and coded once for all hosts that need the same of it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import TYPE_CHECKING

from provision.errors import StepFailedError
from provision.sync.manifest import Entry, Manifest
from provision.tree.packing import Archive
from provision.tree.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provision.tree.listing import Scan
    from provision.tree.reading import Content

GLANCE = 0.2
"""Seconds between two looks at what the user wants, while the tree is awaited."""


class TreeSource:
    """A project's tree at one moment, shared by the workers of all hosts.

    Args:
        scan_factory: Scans the tree; called once, in a thread of its own.
        expect_first: Begin at once to produce all of it, because a host is likely to have nothing yet.
        codec: The codec of what is produced at once.
    """

    def __init__(self, scan_factory: Callable[[], Scan], *, expect_first: bool = False, codec: str = "zstd") -> None:
        self._factory = scan_factory
        self._expect_first = expect_first
        self._codec = codec
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._scanned = threading.Event()
        self._known = threading.Event()
        self._scan: Scan | None = None
        self._manifest: Manifest | None = None
        self._error: BaseException | None = None
        self._archives: dict[tuple[str, tuple[bytes, ...] | None], Archive] = {}
        self._next: TreeSource | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to scan, where that has not begun yet."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="provision-tree", daemon=True)
                self._thread.start()

    def scan(self, alive: Callable[[], None] = lambda: None) -> Scan:
        """Return the scan; `alive` is called while it is awaited, and may raise to end that.

        Raises:
            ProvisionError: the tree cannot be read.
        """
        self._await(self._scanned, alive)
        assert self._scan is not None  # noqa: S101 - the event says so
        return self._scan

    def manifest(self, alive: Callable[[], None] = lambda: None) -> Manifest:
        """Return the manifest, when all hashes are known; raises as `scan` does."""
        self._await(self._known, alive)
        assert self._manifest is not None  # noqa: S101 - the event says so
        return self._manifest

    @property
    def ready(self) -> Manifest | None:
        """The manifest, where it is known already."""
        return self._manifest

    @property
    def id(self) -> str:
        """The digest that names the tree; waits for it."""
        return self.manifest().id

    def full_archive(self, codec: str = "zstd") -> Archive:
        """Return the archive of the whole tree: the one that is produced already where its codec fits."""
        with self._lock:
            made = self._archives.get((codec, None))
        return made or self._produced(codec, None)

    def archive(self, paths: Sequence[bytes], codec: str = "zstd") -> Archive:
        """Return the archive of these paths; hosts that need the same share it."""
        return self._produced(codec, tuple(paths))

    def renewed(self) -> TreeSource:
        """Return the tree as it is now, the same for all who found that this one has changed."""
        with self._lock:
            if self._next is None:
                self._next = TreeSource(self._factory, codec=self._codec)
                if self._closed:
                    self._next.close()
            return self._next

    def close(self) -> None:
        """Stop what still runs, and give all room free."""
        with self._lock:
            self._closed = True
            archives, after = list(self._archives.values()), self._next
        for one in archives:
            one.close()
        if after is not None:
            after.close()

    def _await(self, event: threading.Event, alive: Callable[[], None]) -> None:
        self.start()
        while not event.wait(GLANCE):
            alive()
            if self._closed:
                raise StepFailedError("the run ended while the project was read")
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            scan = self._scan = self._factory()
            if self._expect_first:
                first = self._made(self._codec, None, scan)
                self._scanned.set()
                if None not in scan.hashes:
                    self._settle(scan, {})
                    first.produce()
                    return
                first.produce()
                first.judge()
                # What it found is in the manifest from now on, and nothing in it is other than that.
                found, first.actual = first.actual, {}
                self._settle(scan, found)
            else:
                self._scanned.set()
                self._settle(scan, self._hashed(scan))
        except BaseException as error:  # noqa: BLE001 - every worker raises it
            self._error = error
        finally:
            self._scanned.set()
            self._known.set()

    def _hashed(self, scan: Scan) -> dict[bytes, Entry | None]:
        """Read what the scan has no hash of; return what is there."""
        found: dict[bytes, Entry | None] = {}
        for position, path in enumerate(scan.paths):
            if scan.hashes[position] is not None:
                continue
            content = read(scan, path, scan.kinds[position], known=None, alive=self._alive)
            found[path] = content and content.entry
            if content is not None:
                self._noted(position, content)
        return found

    def _noted(self, position: int, content: Content) -> None:
        """Let the scan learn an entry, where it is what was scanned."""
        scan = self.scan()
        entry = content.entry
        if content.stat is not None and (entry.kind, entry.size) == (scan.kinds[position], scan.sizes[position]):
            scan.learn(position, entry.sha256, content.stat)

    def _settle(self, scan: Scan, found: dict[bytes, Entry | None]) -> None:
        paths, kinds, sizes, hashes = scan.paths, scan.kinds, scan.sizes, [one or b"" for one in scan.hashes]
        if found:
            # Columns, and no entry for each path: mostly a file or two of many thousands were read.
            paths, kinds, sizes = paths.copy(), kinds.copy(), sizes.copy()
            vanished = []
            for path, entry in found.items():
                at = bisect_left(scan.paths, path)
                if entry is None:
                    vanished.append(at)
                else:
                    kinds[at], sizes[at], hashes[at] = entry
            for at in sorted(vanished, reverse=True):
                del paths[at], kinds[at], sizes[at], hashes[at]
        self._manifest = Manifest.of_columns(paths, kinds, sizes, hashes)
        self._known.set()
        scan.save()

    def _produced(self, codec: str, paths: tuple[bytes, ...] | None) -> Archive:
        scan = self.scan()
        if paths is not None:
            # What is there under them must be known.
            self.manifest()
        with self._lock:
            made = self._archives.get((codec, paths))
            if made is not None:
                return made
        archive = self._made(codec, paths, scan)
        threading.Thread(target=archive.produce, name="provision-archive", daemon=True).start()
        return archive

    def _made(self, codec: str, paths: tuple[bytes, ...] | None, scan: Scan) -> Archive:
        manifest = self._manifest
        learn = None
        if manifest is not None:
            which = manifest.records if paths is None else paths
            wanted: list[tuple[bytes, int, Entry | None]] = [
                (path, entry.kind, entry) for path, entry in ((path, manifest.entry(path)) for path in which)
            ]
        else:
            wanted = [
                (path, kind, None if sha256 is None else Entry(kind, size, sha256))
                for path, kind, size, sha256 in zip(scan.paths, scan.kinds, scan.sizes, scan.hashes, strict=True)
            ]
            learn = self._noted
        with self._lock:
            archive = self._archives[codec, paths] = Archive(scan, wanted, codec, learn)
            if self._closed:
                archive.close()
        return archive

    def _alive(self) -> None:
        if self._closed:
            raise StepFailedError("the run ended while the project was read")
