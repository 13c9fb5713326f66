"""Timetables: what ``--daily``, ``--every`` and ``--calendar`` say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias
from zoneinfo import ZoneInfo

from provision.decode import printable
from provision.errors import UsageError
from provision.schedule.calendar import Calendar, parse_calendar

MINUTE, HOUR, DAY = 60, 3600, 86400
LONGEST = 366 * DAY
_UNITS = {"s": 1, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_AMOUNT = re.compile(r"(\d{1,6})(s|min|m|h|d|w)", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Every:
    """Once in so many seconds, counted from a moment of the past: no time zone and no daylight saving in it."""

    seconds: int
    """Whole minutes."""
    anchor: int
    """Seconds since the epoch, a whole minute."""

    @property
    def text(self) -> str:
        """As one types it."""
        return f"every {amount_text(self.seconds)}"

    def calendars(self) -> tuple[Calendar, ...] | None:
        """Return expressions of UTC that say the same; ``None``: there are none, as a day is no multiple of it."""
        if DAY % self.seconds:
            return None
        times = [(self.anchor + at) % DAY // MINUTE for at in range(0, DAY, self.seconds)]
        minutes: dict[int, set[int]] = {}
        for one in times:
            minutes.setdefault(one % 60, set()).add(one // 60)
        hours: dict[frozenset[int], set[int]] = {}
        for minute, which in minutes.items():
            hours.setdefault(frozenset(which), set()).add(minute)
        return tuple(
            Calendar("UTC", _or_all(which, 24), _or_all(frozenset(these), 60)) for which, these in hours.items()
        )


Timetable: TypeAlias = Calendar | Every


def parse_daily(text: str, zone: str) -> Calendar:
    """Return the timetable of ``HH:MM``, or ``HH:MM ZONE``.

    Raises:
        UsageError: it is no time of day.
    """
    clock, _, named = text.strip().partition(" ")
    hour, minute = parse_clock(clock)
    return parse_calendar(f"{hour:02}:{minute:02} {named}", zone)


def parse_clock(text: str) -> tuple[int, int]:
    """Return the hour and minute of ``HH:MM``.

    Raises:
        UsageError: it is no time of day.
    """
    match = _CLOCK.fullmatch(text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:  # noqa: PLR2004 - a clock
        raise UsageError(f"'{printable(text)}' is no time of day, expected 00:00 to 23:59", hint="for instance 03:30")
    return int(match[1]), int(match[2])


def parse_every(text: str, now: float) -> Every:
    """Return the timetable of ``6h``, ``90m``, ``2d``: it begins one such time from now.

    Raises:
        UsageError: it is no such time, or not of whole minutes.
    """
    seconds = parse_amount(text)
    if seconds % MINUTE or not MINUTE <= seconds <= LONGEST:
        raise UsageError(f"'{printable(text)}': expected whole minutes, from 1m to 366d")
    return Every(seconds, int(now) // MINUTE * MINUTE)


def parse_amount(text: str) -> int:
    """Return the seconds of ``90s``, ``20m``, ``6h``, ``2d``.

    Raises:
        UsageError: it is no such amount.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{printable(text)}' is no amount of time", hint="for instance 20m, 6h or 2d")
    return int(match[1]) * _UNITS[match[2]]


def amount_text(seconds: int) -> str:
    """Return an amount as one types it: ``6h``."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        UsageError: this machine knows none of that name.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):
        hint = "for instance Europe/Berlin, Asia/Shanghai or UTC; the package tzdata has them all"
        raise UsageError(f"this machine knows no time zone '{printable(name)}'", hint=hint) from None


def _or_all(numbers: frozenset[int], count: int) -> frozenset[int] | None:
    return None if len(numbers) == count else numbers
