"""Archives in our own cache, by content: downloaded once for all hosts, checked, taken up where a download broke."""

from __future__ import annotations

import fcntl
import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from provision.engine.fetch import our_cache
from provision.engine.take import take
from provision.errors import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from provision.model.plan import Archive

AT_ONCE = 6
TOLD = 2.0
"""Seconds between two lines that tell the progress."""
PIECE = 1 << 20
_known: set[str] = set()
"""Digests of files in our cache that this process has checked."""
_checking = threading.Lock()


def packages_folder() -> Path:
    """Return the folder of archives, each named by its SHA-256.

    Raises:
        StepFailedError: it cannot be made.
    """
    folder = our_cache() / "packages"
    folder.mkdir(exist_ok=True)
    return folder


def bring(archives: Sequence[Archive], say: Callable[[str], None], pulse: Callable[[], None]) -> dict[str, Path]:
    """Have all of them here, and return the file of each by its SHA-256.

    Args:
        archives: What is wanted.
        say: Called with a line every now and then.
        pulse: Called all the time; ends it by raising.

    Raises:
        StepFailedError: one of them is nowhere to be had.
    """
    folder = packages_folder()
    quit_ = threading.Event()
    progress = Progress(say, "fetched here", len(archives))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="provision-fetch") as pool:
        waiting = {pool.submit(_one, one, folder, quit_, progress) for one in archives}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.2)
                for future in done:
                    future.result()
                pulse()
                progress.tell()
        except BaseException:
            quit_.set()
            for future in waiting:
                future.cancel()
            raise
    progress.tell(last=True)
    return {one.sha256: folder / one.sha256 for one in archives}


class _QuitError(Exception):
    """The run ends."""


def _one(archive: Archive, folder: Path, quit_: threading.Event, progress: Progress) -> None:
    """Have one archive in our cache; several runs that want it wait for the one that fetches it."""
    target, part = folder / archive.sha256, folder / f"{archive.sha256}.part"
    if is_whole(target, archive.sha256):
        progress.add(1, 0)
        return

    def pulse() -> None:
        if quit_.is_set():
            raise _QuitError

    problems: list[str] = []
    with part.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_whole(target, archive.sha256):
            progress.add(1, 0)
            return
        for url in archive.urls:
            try:
                take(url, part, resume=True, pulse=pulse)
                if _digest(part) == archive.sha256:
                    progress.add(1, part.stat().st_size)
                    part.replace(target)
                    return
                part.write_bytes(b"")
                problems.append(f"{url}: other content than the lock says")
            except (OSError, ValueError) as error:
                problems.append(f"{url}: {error}")
            pulse()
    raise StepFailedError(
        f"{archive.path.rsplit('/', 1)[-1]}: neither the host nor this machine can download it"
        f" ({'; '.join(problems) or 'the lock names no address'})",
        hint="give the host `mirrors:` that serve it, or lock again: provision env lock",
    )


def is_whole(path: Path, sha256: str) -> bool:
    """Whether a file of the cache is there and has the content that its name says."""
    with _checking:
        if sha256 in _known and path.exists():
            return True
    if not path.exists() or _digest(path) != sha256:
        return False
    with _checking:
        _known.add(sha256)
    return True


def _digest(path: Path) -> str:
    digest = hashlib.new("sha256")
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


class Progress:
    """How far it is, told every now and then."""

    def __init__(self, say: Callable[[str], None], what: str, count: int) -> None:
        self._say = say
        self._what = what
        self._count = count
        self._done = self._bytes = 0
        self._told = time.monotonic()

    def add(self, done: int, size: int) -> None:
        """Count what was done."""
        self._done += done
        self._bytes += size

    def tell(self, *, last: bool = False) -> None:
        """Tell it where it is time."""
        now = time.monotonic()
        if last or now - self._told >= TOLD:
            self._told = now
            text = f"{self._what}: {self._done} of {self._count} packages, {self._bytes / 1e6:.1f} MB"
            self._say(text)
