"""When a timetable is due. Moments are whole seconds since the epoch.

Each wall-clock time of a calendar is due once: one that the clock skips (daylight saving begins) at the first moment
after the gap, one that it shows twice (daylight saving ends) at the first of the two.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from provision.schedule.timetable import DAY, Every, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from provision.schedule.calendar import Calendar
    from provision.schedule.timetable import Timetable

LAST_DAY = date(2199, 12, 30)
FIRST_DAY = date(1970, 1, 3)


def next_due(timetable: Timetable, after: float) -> int | None:
    """Return the first moment later than `after`; ``None``: there is none any more."""
    if isinstance(timetable, Every):
        return (
            timetable.anchor + (max(0, int(after // 1) - timetable.anchor) // timetable.seconds + 1) * timetable.seconds
        )
    return next((one for one in _forward(timetable, after) if one > after), None)


def last_due(timetable: Timetable, at: float) -> int | None:
    """Return the last moment not later than `at`; ``None``: there was none."""
    if isinstance(timetable, Every):
        past = (int(at // 1) - timetable.anchor) // timetable.seconds
        return timetable.anchor + past * timetable.seconds if past > 0 else None
    return next((one for one in _backward(timetable, at) if one <= at), None)


def moments(timetable: Timetable, after: float, until: float) -> Iterator[int]:
    """Yield every moment later than `after` and not later than `until`."""
    due = next_due(timetable, after)
    while due is not None and due <= until:
        yield due
        due = next_due(timetable, due)


def after_gaps(calendar: Calendar, after: float, until: float) -> Iterator[int]:
    """Yield the moments that stand for a time that the clock skips: systemd and cron do not know these."""
    zone = zone_of(calendar.zone)
    told = None
    for day in _days(calendar, _date_of(after, zone) - timedelta(1), 1):
        if day > _date_of(until, zone):
            return
        if _offset(day, zone) == _offset(day + timedelta(1), zone):
            continue
        for hour, minute in calendar.times():
            wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            moment = instant(wall)
            if _skipped(wall) and moment != told and after < moment <= until:
                told = moment
                yield moment


def instant(wall: datetime) -> int:
    """Return when a wall clock shows a time, or, where it skips it, when it has just skipped it."""
    first = int(wall.replace(fold=0).timestamp())
    if not _skipped(wall):
        return first
    # In a gap fold 0 counts with the offset before it, fold 1 with that after it (PEP 495): it lies between the two.
    low, high = int(wall.replace(fold=1).timestamp()), first
    after = wall.replace(fold=1).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, wall.tzinfo).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high


def _forward(calendar: Calendar, after: float) -> Iterator[int]:
    zone = zone_of(calendar.zone)
    times = calendar.times()
    for day in _days(calendar, _date_of(after, zone) - timedelta(1), 1):
        for hour, minute in times:
            yield instant(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone))


def _backward(calendar: Calendar, at: float) -> Iterator[int]:
    zone = zone_of(calendar.zone)
    times = calendar.times()[::-1]
    for day in _days(calendar, _date_of(at, zone) + timedelta(1), -1):
        for hour, minute in times:
            yield instant(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone))


def _days(calendar: Calendar, day: date, step: int) -> Iterator[date]:
    while FIRST_DAY <= day <= LAST_DAY:
        if calendar.on_date(day.year, day.month, day.day, day.weekday()):
            yield day
        day += timedelta(step)


def _date_of(moment: float, zone: ZoneInfo) -> date:
    # A day of room on both sides: an offset from UTC is never more than one.
    return datetime.fromtimestamp(min(max(moment, 3 * DAY), 7_258_032_000), zone).date()


def _skipped(wall: datetime) -> bool:
    there = wall.replace(fold=0).astimezone(timezone.utc).astimezone(wall.tzinfo)
    return there.replace(tzinfo=None, fold=0) != wall.replace(tzinfo=None, fold=0)


def _offset(day: date, zone: ZoneInfo) -> timedelta | None:
    return datetime(day.year, day.month, day.day, tzinfo=zone).utcoffset()
