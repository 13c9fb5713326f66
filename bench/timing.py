"""Runs whole processes and compares two of them pair by pair, A B A B, so that a busy moment meets both."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class CommandFailedError(Exception):
    """A command failed or did other work than it should: its time would mean nothing."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Contestant:
    """A command line that does the work."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    proves: Callable[[str], bool] = bool
    """Whether the output shows that the work was done, and no other work."""
    prepare: Callable[[], None] = _nothing
    """Done before each run, and not timed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run took, in seconds."""

    wall: float
    cpu: float
    """User and system time of the process and of the children that it waited for."""


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one contestant."""

    name: str
    samples: tuple[Sample, ...]

    @property
    def wall(self) -> float:
        """The median, in seconds."""
        return median(one.wall for one in self.samples)

    @property
    def fastest(self) -> float:
        """The least, in seconds."""
        return min(one.wall for one in self.samples)

    @property
    def slowest(self) -> float:
        """The most, in seconds."""
        return max(one.wall for one in self.samples)

    @property
    def cpu(self) -> float:
        """The median processor time, in seconds."""
        return median(one.cpu for one in self.samples)


@dataclass(frozen=True, slots=True)
class Duel:
    """Two contestants that ran in turn."""

    ours: Series
    theirs: Series

    @property
    def ratios(self) -> tuple[float, ...]:
        """Our time over theirs, pair by pair."""
        pairs = zip(self.ours.samples, self.theirs.samples, strict=True)
        return tuple(ours.wall / theirs.wall for ours, theirs in pairs)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return median(self.ratios)


def run(contestant: Contestant) -> Sample:
    """Prepare a command and run it once, as a whole process.

    Raises:
        CommandFailedError: its exit code is not 0, or its output does not prove the work.
    """
    contestant.prepare()
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            contestant.argv,
            env=dict(contestant.env),
            cwd=contestant.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode != 0:
        raise CommandFailedError(f"{contestant.name}: exit {process.returncode}\n{text}")
    if not contestant.proves(text):
        raise CommandFailedError(f"{contestant.name}: its output does not show that this work was done\n{text}")
    return Sample(wall, usage.ru_utime + usage.ru_stime)


def duel(ours: Contestant, theirs: Contestant, pairs: int) -> Duel:
    """Warm both up once, then run them in turn."""
    run(ours)
    run(theirs)
    left: list[Sample] = []
    right: list[Sample] = []
    for _ in range(pairs):
        left.append(run(ours))
        right.append(run(theirs))
    return Duel(Series(ours.name, tuple(left)), Series(theirs.name, tuple(right)))
