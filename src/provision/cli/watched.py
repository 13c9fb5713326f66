"""The project while it is watched: one thread sees changes, and all hosts share each state of the tree."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.watch import Changes
    from provision.project import Project
    from provision.tree.archive import TreeSource


class Trees:
    """The tree after so many changes, read once for all hosts; each worker has one at a time."""

    def __init__(self, first: TreeSource, make: Callable[[], TreeSource]) -> None:
        self._lock = threading.Lock()
        self._make = make
        self._generation = 0
        self._open = [first]
        """The newest is the last."""
        self._used: dict[int, TreeSource] = {}
        """By worker."""

    def of(self, generation: int) -> TreeSource:
        """Return the tree as it is after so many changes, or later; what this worker had before is given back."""
        with self._lock:
            if generation > self._generation:
                self._generation = generation
                self._open.append(self._make())
                self._open[-1].start()
            newest = self._used[threading.get_ident()] = self._open[-1]
            kept = [one for one in self._open if one is newest or one in self._used.values()]
            over, self._open = [one for one in self._open if one not in kept], kept
        for one in over:
            one.close()
        return newest


def watch_project(project: Project, changes: Changes) -> None:
    """Count the changes below the project's root, from a thread that ends with the process."""
    from provision.tree.left_out import left_out
    from provision.tree.rules_outside import RulesOutside
    from provision.tree.watching import Relevant, watching

    def paths() -> list[str]:
        return [os.fsdecode(path) for path, _ in left_out(project.root, project.include)]

    def tell(text: str) -> None:
        with suppress(OSError, ValueError):
            print(one_line(text), file=sys.stderr, flush=True)

    def run() -> None:
        relevant = Relevant(project.root, paths)
        outside = RulesOutside(project.root)
        relevant.learn()
        for changed in watching(project.root, relevant, threading.Event(), tell):
            rules = outside.changed()
            if rules:
                relevant.forget()
            if changed or rules:
                changes.note()
                if not relevant.learnt:
                    relevant.learn()

    threading.Thread(target=run, name="provision-watch", daemon=True).start()
