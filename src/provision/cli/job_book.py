"""What this machine launched: written down before the launch, so that a lost answer loses no job."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from provision.jobs.ids import ID
from provision.tree.state import state_folder, write_whole

if TYPE_CHECKING:
    from pathlib import Path

KEPT = 2000
"""Entries; the oldest ones are forgotten here, and are still on their hosts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One launch."""

    id: str
    host: str
    target: str
    state_dir: str
    project: str
    root: str
    name: str | None
    command: tuple[str, ...]
    submitted: float = field(default_factory=time.time)
    notify: bool = False
    """Whether its end is still to be told through the project's channels."""


class JobBook:
    """A folder with a file for each job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of_this_machine(cls) -> JobBook:
        """Return the book below the XDG state folder."""
        return cls(state_folder() / "jobs")

    def remember(self, entry: Entry) -> str | None:
        """Write a launch down; return a note where that cannot be."""
        place = os.fsencode(self._folder / f"{entry.id}.json")
        note = write_whole(place, json.dumps(asdict(entry)).encode(), "`provision jobs` finds the job all the same")
        if note is None:
            self._prune()
        return note

    def entries(self) -> list[Entry]:
        """Return all of them, the newest first."""
        try:
            paths = [one for one in self._folder.iterdir() if ID.fullmatch(one.stem) and one.suffix == ".json"]
        except OSError:
            return []
        found = [entry for entry in map(_read, paths) if entry is not None]
        return sorted(found, key=lambda one: one.submitted, reverse=True)

    def entry(self, job: str) -> Entry | None:
        """Return the entry of a job; ``None``: it was not launched from here."""
        return _read(self._folder / f"{job}.json") if ID.fullmatch(job) else None

    def forget(self, job: str) -> None:
        """Forget a job; what is no id names none."""
        if not ID.fullmatch(job):
            return
        try:
            (self._folder / f"{job}.json").unlink(missing_ok=True)
        except OSError:
            pass  # it is found on no host any more, and told as such

    def _prune(self) -> None:
        try:
            paths = [one for one in self._folder.iterdir() if one.suffix == ".json"]
            if len(paths) > KEPT:
                for one in sorted(paths, key=lambda path: path.stat().st_mtime)[:-KEPT]:
                    one.unlink(missing_ok=True)
        except OSError:
            pass  # another run is at the same work


def _read(path: Path) -> Entry | None:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        entry = Entry(**{**value, "command": tuple(value["command"])})
        texts = (entry.id, entry.host, entry.target, entry.state_dir, entry.project, entry.root)
        right = all(isinstance(one, str) for one in texts) and isinstance(entry.submitted, (int, float))
        right = right and isinstance(entry.notify, bool)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return entry if right and entry.id == path.stem else None
