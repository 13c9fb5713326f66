"""Says when something in the project's folder changes. What it was is not said: a scan of the tree decides."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

QUIET_MS = 40
"""Milliseconds without a further event after which a change is told: an editor writes, renames and touches."""
LONGEST_MS = 500
"""Milliseconds after which it is told although events keep coming."""
GLANCE_MS = 1000
POLL_MS = 1000
"""Milliseconds between two looks at every file, where the system does not tell of changes."""
RULES = frozenset({".gitignore", ".provisionignore", "provision.yaml"})
"""Files that say what counts: when one changes, what is ignored is asked anew."""
GIT_RULES = ("index", "info/exclude")
"""Files of a repository that say so too: a file that is tracked counts, whatever an ignore file says."""


class Relevant:
    """Whether an event may concern a file of the tree: cheap, and in doubt a yes.

    Args:
        root: The project's root.
        left_out: Returns the paths that do not count, relative to the root, folders with a slash at the end.
    """

    def __init__(self, root: Path, left_out: Callable[[], Iterable[str]]) -> None:
        # The system tells of paths below the folder that it was asked about, links resolved.
        self._root = os.path.realpath(root)
        self._left_out = left_out
        self._folders: tuple[str, ...] = ()
        self._files: frozenset[str] = frozenset()
        self.learnt = False
        """Whether what it knows is what the ignore files say now."""

    def forget(self) -> None:
        """Take everything as worth a scan, until it is asked anew what does not count."""
        self._folders, self._files, self.learnt = (), frozenset(), False

    def learn(self) -> None:
        """Ask anew what does not count; where that fails everything does."""
        self.learnt = True
        paths: tuple[str, ...] = ()
        with suppress(Exception):  # The scan meets the same trouble, and tells it.
            paths = tuple(self._left_out())
        self._folders = tuple(one for one in paths if one.endswith("/"))
        self._files = frozenset(one for one in paths if not one.endswith("/"))

    def __call__(self, path: str) -> bool:
        """Return whether an event of this path is worth a scan."""
        inner = os.path.relpath(path, self._root)
        if inner == os.curdir:
            return False
        names = inner.split("/")
        if names[-1] in RULES:
            self.forget()
            return True
        if ".git" in names:
            told = inner.endswith(tuple(f"/{one}" for one in GIT_RULES))
            self.learnt = self.learnt and not told
            return told
        if names[0] == ".provision":
            return False
        return inner not in self._files and not f"{inner}/".startswith(self._folders)


def watching(
    root: Path, relevant: Callable[[str], bool], over: threading.Event, tell: Callable[[str], None]
) -> Iterator[bool]:
    """Yield at least once a second: whether something changed since the last time; the first time always yes.

    From the first yield on no change is missed. The caller ends it by setting `over`.

    Args:
        root: The folder, with everything below it.
        relevant: Which paths count.
        over: Set to end it.
        tell: Called with one line where the system does not tell of changes, so that files are looked at in turn.
    """
    poll = False
    while not over.is_set():
        try:
            yield from _until_gone(root, relevant, over, poll=poll)
        except Exception as error:
            # Its Rust part raises several kinds: too many watches, or none at all.
            if over.is_set():
                return
            if os.path.isdir(root):
                if poll:
                    raise
                tell(f"this system does not tell of changes here ({error}): every file is looked at once a second")
                poll = True
        # Removed, renamed or unmounted: a change that is told once; then whether something is in its place again.
        gone = True
        while not over.is_set() and not os.path.isdir(root):
            yield gone
            gone = over.wait(GLANCE_MS / 1000)


def _until_gone(
    root: Path, relevant: Callable[[str], bool], over: threading.Event, *, poll: bool
) -> Generator[bool, None, None]:
    """Yield as `watching` does, until the folder is not at its path any more, or another one is."""
    # Not before: it costs as much as the rest of a sync where nothing changed, and most syncs do not watch.
    from watchfiles import Change, watch

    def wanted(_: Change, path: str) -> bool:
        return relevant(path)

    place = os.path.realpath(root)
    # Held open, so that a new folder is never taken for it: numbers of removed ones are given again.
    held = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = watch(
            place,
            watch_filter=wanted,
            debounce=LONGEST_MS,
            step=QUIET_MS,
            stop_event=over,
            rust_timeout=GLANCE_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=poll,
            poll_delay_ms=POLL_MS,
            ignore_permission_denied=True,
        )
        # Each beginning is a change: what happened before it was seen by nobody.
        first = True
        for changed in found:
            if not _leads_to(root, held):
                return
            yield bool(changed) or first
            first = False
    finally:
        os.close(held)


def _leads_to(path: Path, held: int) -> bool:
    try:
        return os.path.samestat(os.fstat(held), os.stat(path))
    except OSError:
        return False
