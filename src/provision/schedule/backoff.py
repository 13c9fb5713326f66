"""Hosts that fail again and again are left alone for longer and longer."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0
FREE = 2
"""Failures in a row after which nothing is left out yet."""
FIRST, MOST = 6 * HOUR, 7 * 24 * HOUR


@dataclass(frozen=True, slots=True)
class Failing:
    """A host that failed in the last runs, one after the other."""

    times: int
    since: float
    until: float
    """Before this moment it is left alone."""


def failed(past: Failing | None, now: float) -> Failing:
    """Return what is remembered of a host that failed now: from the third failure on the pause doubles, to a week."""
    times = 1 if past is None else past.times + 1
    pause = 0.0 if times <= FREE else min(FIRST * 2 ** min(times - FREE - 1, 20), MOST)
    return Failing(times, now if past is None else past.since, now + pause)


def left_alone(past: Failing | None, now: float) -> bool:
    """Whether the host is in a pause; one that begins in the future (the clock went back) does not count."""
    return past is not None and now < past.until <= now + MOST
