"""The hours in which a run may begin, and how long a run waits so that many do not begin at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from provision.decode import printable
from provision.errors import UsageError
from provision.schedule.timetable import MINUTE, parse_clock, zone_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """From a time of day, in minutes, to another, which does not belong to it; it may go past midnight."""

    start: int
    end: int

    @property
    def text(self) -> str:
        """As one types it."""
        return "-".join(f"{one // 60:02}:{one % 60:02}" for one in (self.start, self.end))

    def holds(self, moment: float, zone: ZoneInfo) -> bool:
        """Whether a moment is in it, by the clocks of that zone."""
        local = datetime.fromtimestamp(moment, zone)
        return (local.hour * 60 + local.minute - self.start) % _DAY_MINUTES < (self.end - self.start) % _DAY_MINUTES


def parse_window(text: str) -> Window:
    """Return the window of ``01:00-06:00``.

    Raises:
        UsageError: it is none, or has no minute in it.
    """
    first, dash, last = text.strip().partition("-")
    if not dash:
        raise UsageError(f"'{printable(text)}' is no window of time, expected HH:MM-HH:MM", hint="01:00-06:00")
    (hour, minute), (end_hour, end_minute) = parse_clock(first.strip()), parse_clock(last.strip())
    window = Window(hour * 60 + minute, end_hour * 60 + end_minute)
    if window.start == window.end:
        raise UsageError(f"the window '{printable(text)}' ends as it begins")
    return window


def next_opening(window: Window, after: float, zone: str) -> int:
    """Return the first moment not earlier than `after` that is in the window."""
    where = zone_of(zone)
    moment = int(after)
    if window.holds(moment, where):
        return moment
    moment = moment // MINUTE * MINUTE
    while not window.holds(moment, where):
        moment += MINUTE
    return moment


def own_delay(key: str, jitter: int) -> int:
    """Return the seconds that a schedule waits after each due time: always the same, below `jitter`."""
    if jitter <= 0:
        return 0
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % jitter
