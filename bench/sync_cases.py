"""What `sync` is compared with, for which trees, and how much faster we mean to be."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from shutil import which
from typing import TYPE_CHECKING

from bench.cases import DISTANCE_MS, Match, held
from bench.senders import rsync, sync
from bench.trees import plant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.cases import Case
    from bench.senders import Sender, Work
    from bench.stage import Fleet, Stage
    from bench.trees import Tree

SIZES = (2_000, 20_000)
LARGEST = 100_000
LARGEST_PAIRS = 2
TARGETS: dict[Work, dict[int, float]] = {
    "first upload": {0: 1.0, DISTANCE_MS: 1.0},
    "nothing changed": {0: 1.2, DISTANCE_MS: 0.30},
    "one file changed": {0: 1.2, DISTANCE_MS: 0.35},
}
"""By work, in the order in which they are done, and by round trip."""
SETTLED_SECONDS = 2.5
"""From when on a file's times are old enough to tell whether it changed since it was read."""


def why_not_sync() -> str | None:
    """Return the reason why `sync` cannot be compared here, or None."""
    missing = [name for name in ("rsync", "git") if which(name) is None]
    return f"sync is measured beside rsync, and {' and '.join(missing)} is not on the PATH" if missing else None


def sync_cases(
    stage: Stage, hosts: dict[int, Fleet], pairs: int, tell: Callable[[str], None], *, largest: bool
) -> Iterator[Case]:
    """Run every comparison and yield it when it is done."""
    for size in SIZES:
        with planted(stage, size, tell) as trees:
            for rtt, host in hosts.items():
                yield from _works(_pair(stage, host, trees), rtt, pairs, tell)
    if largest:
        with planted(stage, LARGEST, tell) as trees:
            yield from _works(_pair(stage, hosts[0], trees), 0, LARGEST_PAIRS, tell)


@contextmanager
def planted(stage: Stage, size: int, tell: Callable[[str], None]) -> Iterator[tuple[Tree, Tree]]:
    """Give a tree and its twin, one for each contestant, so that the edits of one are no work for the other."""
    tell(f"planting {size:,} files")
    folders = [stage.laptop.home / name / f"sources-{size}" for name in ("ours", "theirs")]
    tree = plant(folders[0], size)
    twin = tree.twin(folders[1])
    time.sleep(SETTLED_SECONDS)
    try:
        yield tree, twin
    finally:
        for folder in folders:
            shutil.rmtree(folder)


def _pair(stage: Stage, host: Fleet, trees: tuple[Tree, Tree]) -> tuple[Sender, Sender]:
    return sync(stage, host, trees[0]), rsync(stage, host, trees[1])


def _works(pair: tuple[Sender, Sender], rtt: int, pairs: int, tell: Callable[[str], None]) -> Iterator[Case]:
    ours, theirs = pair
    size = ours.tree.size
    for work, targets in TARGETS.items():
        target = targets[rtt] if size in SIZES else None
        title = f"{work}, {size:,} files"
        yield held(Match(title, rtt, ours.contestant(work), theirs.contestant(work), pairs, target), tell)
        for one in pair:
            one.check()
    for one in pair:
        one.forget()
