"""What is noteworthy of the project itself: told once a run, whatever hosts and syncs there are."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class ProjectNotes:
    """Takes notes from any thread, also before there is a screen to show them on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, None] = {}
        self._tell: Callable[[str], None] | None = None

    def take(self, notes: Iterable[str]) -> None:
        """Tell those that were not told yet."""
        with self._lock:
            new = [one for one in dict.fromkeys(notes) if one not in self._seen]
            self._seen.update(dict.fromkeys(new))
            if self._tell is not None:
                for one in new:
                    self._tell(one)

    def begin(self, tell: Callable[[str], None]) -> None:
        """Tell what came so far, and from now on all at once."""
        with self._lock:
            self._tell = tell
            for one in self._seen:
                tell(one)
