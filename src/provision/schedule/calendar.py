"""Calendar expressions: the part of systemd's OnCalendar= that we read, as sets of numbers.

Source: the manual page systemd.time(7), CALENDAR EVENTS. Left out: seconds other than 00, ``~`` (days from a month's
end), years of two digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from provision.decode import printable
from provision.errors import UsageError

Numbers: TypeAlias = "frozenset[int] | None"
"""``None``: every one."""

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SHORTHANDS = {
    "minutely": "*-*-* *:*",
    "hourly": "*-*-* *:00",
    "daily": "*-*-* 00:00",
    "weekly": "Mon *-*-* 00:00",
    "monthly": "*-*-01 00:00",
    "quarterly": "*-01,04,07,10-01 00:00",
    "semiannually": "*-01,07-01 00:00",
    "yearly": "*-01-01 00:00",
    "annually": "*-01-01 00:00",
}
RANGES = {"year": (1970, 2199), "month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59)}
_PART = re.compile(r"(\d{1,4})(?:\.\.(\d{1,4}))?(?:/(\d{1,4}))?", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*", re.ASCII)
_LONGEST = 500
_HINT = "for instance: 'Mon..Fri 03:30 Europe/Berlin', '*-*-01,15 04:00', '0/6:15'"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Every wall-clock minute whose parts are all in these sets, in one time zone."""

    zone: str
    """A name of the IANA data base."""
    hours: Numbers = None
    minutes: Numbers = None
    weekdays: Numbers = None
    """0 is Monday."""
    days: Numbers = None
    months: Numbers = None
    years: Numbers = None

    def on_date(self, year: int, month: int, day: int, weekday: int) -> bool:
        """Whether there is anything on that date."""
        return (
            _has(self.years, year)
            and _has(self.months, month)
            and _has(self.days, day)
            and _has(self.weekdays, weekday)
        )

    def times(self) -> list[tuple[int, int]]:
        """Return the hours and minutes of such a date, in order."""
        hours = range(24) if self.hours is None else sorted(self.hours)
        minutes = range(60) if self.minutes is None else sorted(self.minutes)
        return [(hour, minute) for hour in hours for minute in minutes]

    @property
    def text(self) -> str:
        """The expression as systemd reads it."""
        days = "" if self.weekdays is None else ",".join(DAYS[one] for one in sorted(self.weekdays)) + " "
        date = "-".join((_list(self.years, 4), _list(self.months), _list(self.days)))
        return f"{days}{date} {_list(self.hours)}:{_list(self.minutes)}:00 {self.zone}"


def parse_calendar(text: str, zone: str) -> Calendar:
    """Return what an expression means; `zone` is used where it names none.

    Raises:
        UsageError: it is none, or uses what we do not read.
    """
    if len(text) > _LONGEST:
        raise UsageError(f"a calendar expression of {len(text)} characters is too long", hint=_HINT)
    words = text.split()
    if words and words[0].lower() in SHORTHANDS:
        words = [*SHORTHANDS[words[0].lower()].split(), *words[1:]]
    weekdays: Numbers = None
    date, time = ("*", "*", "*"), ("00", "00")
    found = False
    if words and words[0][0].isalpha():
        weekdays, found = _weekdays(words.pop(0), text), True
    if words and ":" not in words[0] and not words[0][0].isalpha():
        date, found = _date(words.pop(0), text), True
    if words and ":" in words[0]:
        time, found = _time(words.pop(0), text), True
    if words and found and _ZONE.fullmatch(words[0]):
        zone = words.pop(0)
    if words or not found:
        odd = f": '{printable(words[0])}'" if words else ""
        raise UsageError(f"'{printable(text)}' is no calendar expression{odd}", hint=_HINT)
    return Calendar(
        zone,
        _numbers(time[0], "hour", text),
        _numbers(time[1], "minute", text),
        weekdays,
        _numbers(date[2], "day", text),
        _numbers(date[1], "month", text),
        _numbers(date[0], "year", text),
    )


def _weekdays(word: str, text: str) -> Numbers:
    found: set[int] = set()
    for part in word.split(","):
        first, dots, last = part.replace("-", "..").partition("..")
        low = _weekday(first, text)
        high = _weekday(last, text) if dots else low
        if high < low:
            hint = "a week begins with Monday: write Sat,Sun,Mon"
            raise UsageError(f"'{printable(part)}' in '{printable(text)}' ends before it begins", hint=hint)
        found.update(range(low, high + 1))
    return None if len(found) == len(DAYS) else frozenset(found)


def _weekday(word: str, text: str) -> int:
    for number, (short, long) in enumerate(zip(DAYS, _LONG, strict=True)):
        if word.lower() in {short.lower(), long}:
            return number
    raise UsageError(f"'{printable(word)}' in '{printable(text)}' is no weekday, expected Mon to Sun", hint=_HINT)


def _date(word: str, text: str) -> tuple[str, str, str]:
    if "~" in word:
        raise UsageError(f"'{printable(text)}': days counted from a month's end (~) are not supported", hint=_HINT)
    parts = word.split("-")
    if len(parts) not in (2, 3):
        raise UsageError(f"'{printable(word)}' in '{printable(text)}' is no date, expected YYYY-MM-DD", hint=_HINT)
    year, month, day = parts if len(parts) == 3 else ("*", *parts)  # noqa: PLR2004 - year, month, day
    return year, month, day


def _time(word: str, text: str) -> tuple[str, str]:
    hour, minute, *seconds = word.split(":")
    if len(seconds) > 1 or (seconds and seconds[0] not in ("0", "00")):
        shown = printable(word)
        raise UsageError(f"'{shown}' in '{printable(text)}': schedules know no seconds, expected HH:MM", hint=_HINT)
    return hour, minute


def _numbers(word: str, what: str, text: str) -> Numbers:
    if word == "*":
        return None
    low, high = RANGES[what]
    found: set[int] = set()
    for part in word.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            hint = f"write {low}{part[1:]}" if part.startswith("*/") else _HINT
            raise UsageError(f"'{printable(part)}' in '{printable(text)}' is no {what}", hint=hint)
        first = int(match[1])
        last = int(match[2]) if match[2] else high if match[3] else first
        step = int(match[3]) if match[3] else 1
        if not low <= first <= last <= high or step < 1:
            raise UsageError(
                f"'{printable(part)}' in '{printable(text)}' is no {what}, expected {low} to {high}", hint=_HINT
            )
        found.update(range(first, last + 1, step))
    return None if len(found) == high - low + 1 else frozenset(found)


def _has(numbers: Numbers, number: int) -> bool:
    return numbers is None or number in numbers


def _list(numbers: Numbers, width: int = 2) -> str:
    return "*" if numbers is None else ",".join(f"{one:0{width}}" for one in sorted(numbers))
