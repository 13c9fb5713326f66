"""What `up` is compared with, and how much faster we mean to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.contestants import Peers, helped, openssh, ours
from bench.timing import duel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from bench.installed import Installed
    from bench.stage import Fleet, Stage
    from bench.timing import Contestant, Duel

FLEET = 20
DISTANCE_MS = 100
INFORMATIVE_PAIRS = 3
"""Pairs of a comparison that takes minutes and has no target."""


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: `target` is the most that our time may be of theirs; None where there is none."""

    title: str
    rtt_ms: int
    duel: Duel
    target: float | None

    @property
    def missed(self) -> bool:
        """Whether we are slower than we mean to be."""
        return self.target is not None and self.duel.ratio > self.target


@dataclass(frozen=True, slots=True)
class Match:
    """A comparison that is still to be made."""

    title: str
    rtt_ms: int
    ours: Contestant
    theirs: Contestant
    pairs: int
    target: float | None


def held(match: Match, tell: Callable[[str], None]) -> Case:
    """Make a comparison, and say so."""
    tell(f"{match.title}, {match.rtt_ms} ms: {match.ours.name} and {match.theirs.name}")
    case = Case(match.title, match.rtt_ms, duel(match.ours, match.theirs, match.pairs), match.target)
    tell(f"  {case.duel.ours.wall:.3f} s and {case.duel.theirs.wall:.3f} s: {case.duel.ratio:.2f}")
    return case


@dataclass(frozen=True, slots=True)
class Plan:
    """How thorough a run is."""

    pairs: int
    peers: Installed | None


def cases(
    stage: Stage,
    single: dict[int, Fleet],
    fleet: Callable[[int], AbstractContextManager[Fleet]],
    plan: Plan,
    tell: Callable[[str], None],
) -> Iterator[Case]:
    """Run every comparison and yield it when it is done."""

    def compare(title: str, rtt: int, left: Contestant, right: Contestant, target: float | None) -> Case:
        pairs = plan.pairs if target is not None else min(plan.pairs, INFORMATIVE_PAIRS)
        return held(Match(title, rtt, left, right, pairs, target), tell)

    yield compare("--help", 0, *helped(stage), 4)
    for rtt, host in single.items():
        up = ours(stage, host)
        yield compare("1 host", rtt, up, openssh(stage, host), 0.9 if rtt else 1.6)
        if plan.peers is None:
            continue
        peers = Peers(stage, host, plan.peers)
        yield compare("1 host", rtt, up, peers.pyinfra(), 1 / 3)
        yield compare("1 host", rtt, up, peers.ansible(warm=False), 1 / 7)
        try:
            yield compare("1 host", rtt, up, peers.ansible(warm=True), None)
        finally:
            peers.end_masters()
    if plan.peers is None:
        return
    for rtt in single:
        tell(f"preparing {FLEET} hosts at {rtt} ms")
        with fleet(rtt) as many:
            up = ours(stage, many)
            peers = Peers(stage, many, plan.peers)
            yield compare(f"{FLEET} hosts", rtt, up, peers.pyinfra(), 0.5 if rtt else None)
            try:
                yield compare(f"{FLEET} hosts", rtt, up, peers.ansible(warm=True), None)
            finally:
                peers.end_masters()
