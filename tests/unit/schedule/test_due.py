"""Due times: once for each time of a timetable, whatever the clocks do."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter  # type: ignore[import-untyped,unused-ignore]
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from provision.errors import UsageError
from provision.schedule.calendar import Calendar, parse_calendar
from provision.schedule.cron import _fields
from provision.schedule.due import after_gaps, last_due, moments, next_due
from provision.schedule.timetable import DAY, Every, parse_daily, parse_every
from tests.unit.schedule.made import at

ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Santiago",
    "Asia/Beirut",
)
"""Whole hours, halves, quarters; changes at midnight, of half an hour, on both halves of the globe."""
SIZE = 50 if os.environ.get("PROVISION_SOAK") == "1" else 1
START, SPAN = at("2026-01-01T00:00"), 2 * 365 * DAY


def numbers(low: int, high: int, most: int = 4) -> st.SearchStrategy[frozenset[int] | None]:
    return st.none() | st.frozensets(st.integers(low, high), min_size=1, max_size=most)


calendars = st.builds(
    Calendar,
    zone=st.sampled_from(ZONES),
    hours=numbers(0, 23) | st.just(frozenset({0, 1, 2, 3})),
    minutes=st.frozensets(st.integers(0, 59), min_size=1, max_size=3),
    weekdays=numbers(0, 6),
    days=numbers(1, 31, 8),
    months=numbers(1, 12, 8),
)
moment = st.integers(START, START + SPAN)


def walked(calendar: Calendar, first: int, last: int) -> list[int]:
    """Return the due moments by looking at the clock of each minute, as one who sits before it."""
    zone = ZoneInfo(calendar.zone)
    times = set(calendar.times())

    def wanted(wall: datetime) -> bool:
        return (wall.hour, wall.minute) in times and calendar.on_date(wall.year, wall.month, wall.day, wall.weekday())

    found, latest = [], None
    for now in range(first - DAY, last + 1, 60):
        wall = datetime.fromtimestamp(now, zone).replace(tzinfo=None, fold=0)
        # Every time between the latest one that was shown and this one was skipped.
        skipped = latest is not None and any(
            wanted(latest + timedelta(minutes=one)) for one in range(1, int((wall - latest).total_seconds()) // 60)
        )
        new = latest is None or wall > latest
        if (new and wanted(wall)) or skipped:
            found.append(now)
        latest = wall if new else latest
    return [one for one in found if first < one <= last]


@settings(max_examples=60 * SIZE, deadline=None)
@given(calendars, st.sampled_from([at("2026-03-29T00:00"), at("2026-10-25T00:00"), at("2027-03-14T06:00")]))
@example(Calendar("Europe/Berlin", frozenset({2}), frozenset({30})), at("2026-03-29T00:00"))
@example(Calendar("Europe/Berlin", frozenset({2}), frozenset({30})), at("2026-10-25T00:00"))
@example(Calendar("Australia/Lord_Howe", None, frozenset({10, 50})), at("2026-10-03T12:00"))
@example(Calendar("America/Havana", frozenset({0}), frozenset({0, 30})), at("2026-03-08T03:00"))
def test_a_calendar_is_due_when_one_who_watches_the_clock_says_so(calendar: Calendar, first: int) -> None:
    first -= DAY
    last = first + 3 * DAY
    assert list(moments(calendar, first, last)) == walked(calendar, first, last)


@settings(max_examples=200 * SIZE, deadline=None)
@given(calendars, moment)
def test_the_last_due_time_and_the_next_one_are_neighbours(calendar: Calendar, now: int) -> None:
    due, before = next_due(calendar, now), last_due(calendar, now)
    assume(due is not None)
    assert due is not None
    assert due > now
    assert before is None or before <= now
    assert last_due(calendar, due) == due
    assert last_due(calendar, due - 1) == before
    assert before is None or next_due(calendar, before) == due


@settings(max_examples=150 * SIZE, deadline=None)
@given(calendars, moment)
def test_croniter_agrees_away_from_changes_of_the_clock(calendar: Calendar, now: int) -> None:
    # croniter, as cron, takes either of a weekday and a day of the month; and has rules of its own for gaps.
    assume(calendar.days is None or calendar.weekdays is None)
    due = next_due(calendar, now)
    assume(due is not None)
    assert due is not None
    zone = ZoneInfo(calendar.zone)
    offsets = {datetime.fromtimestamp(one, zone).utcoffset() for one in range(now - DAY, due + DAY, 6 * 3600)}
    start = datetime.fromtimestamp(now, zone)
    if len(offsets) > 1:
        # In plain wall-clock time the next one is the same, wherever it is neither skipped nor shown twice.
        wall = croniter(_fields(calendar), start.replace(tzinfo=None)).get_next(datetime)
        there = wall.replace(tzinfo=zone)
        assume(there.replace(fold=1).utcoffset() == there.utcoffset() and start.fold == 0)
        assert due <= int(there.timestamp())
        return
    assert due == int(croniter(_fields(calendar), start).get_next(float))


@settings(max_examples=60 * SIZE, deadline=None)
@given(calendars, moment)
def test_systemd_agrees_but_for_times_that_the_clock_skips(calendar: Calendar, now: int) -> None:
    ours: list[int] = []
    due = next_due(calendar, now)
    while due is not None and len(ours) < 6 and due < now + SPAN:
        ours.append(due)
        due = next_due(calendar, due)
    assume(ours)
    skipped = set(after_gaps(calendar, now, ours[-1]))
    theirs = systemd_says(calendar.text, now, len(ours))
    # One moment may stand for a skipped time and for its own.
    assert [one for one in theirs if one <= ours[-1] and one not in skipped] == [
        one for one in ours if one not in skipped
    ]


def systemd_says(expression: str, now: int, count: int) -> list[int]:
    done = subprocess.run(
        ["systemd-analyze", "calendar", f"--iterations={count}", f"--base-time=@{now}", expression],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "TZ": "UTC", "LANG": "C.UTF-8"},
    )
    lines = [one.partition(": ")[2].strip() for one in done.stdout.splitlines() if "elapse:" in one or "Iter." in one]
    return [int(datetime.fromisoformat(f"{one[4:-4]}+00:00").timestamp()) for one in lines]


@settings(max_examples=100 * SIZE, deadline=None)
@given(st.integers(1, 20000), st.integers(START // 60, (START + SPAN) // 60), moment)
def test_an_interval_goes_on_from_its_anchor_whatever_the_clocks_do(period: int, anchor: int, now: int) -> None:
    every = Every(period * 60, anchor * 60)
    due = next_due(every, now)
    assert due is not None
    assert due > now
    assert (due - every.anchor) % every.seconds == 0
    assert due > every.anchor
    assert due - every.seconds <= max(now, every.anchor)
    calendars = every.calendars()
    if calendars is not None and now > every.anchor:
        assert min(filter(None, (next_due(one, now) for one in calendars))) == due


def test_a_skipped_time_is_due_right_after_the_gap_and_a_repeated_one_once() -> None:
    daily = parse_daily("02:30 Europe/Berlin", "UTC")
    spring = list(moments(daily, at("2026-03-28T12:00"), at("2026-03-30T12:00")))
    assert spring == [at("2026-03-29T01:00"), at("2026-03-30T00:30")]
    autumn = list(moments(daily, at("2026-10-24T12:00"), at("2026-10-26T12:00")))
    assert autumn == [at("2026-10-25T00:30"), at("2026-10-26T01:30")]
    assert list(after_gaps(daily, at("2026-01-01T00:00"), at("2027-12-31T00:00"))) == [
        at("2026-03-29T01:00"),
        at("2027-03-28T01:00"),
    ]


def test_a_date_that_never_comes_again_is_never_due() -> None:
    assert next_due(parse_calendar("2020-01-01 00:00", "UTC"), at("2026-01-01T00:00")) is None
    assert next_due(parse_calendar("*-02-30", "UTC"), at("2026-01-01T00:00")) is None
    assert last_due(parse_calendar("2190-01-01", "UTC"), at("2026-01-01T00:00")) is None


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("03:30", "*-*-* 03:30:00 UTC"),
        ("Mon..Fri 3:05", "Mon,Tue,Wed,Thu,Fri *-*-* 03:05:00 UTC"),
        ("sat,SUNDAY", "Sat,Sun *-*-* 00:00:00 UTC"),
        ("*-*-01,15 04:00 Asia/Shanghai", "*-*-01,15 04:00:00 Asia/Shanghai"),
        ("2027..2029/2-02-1..9/4 0/6:15:00", "2027,2029-02-01,05,09 00,06,12,18:15:00 UTC"),
        ("0..23:0..59", "*-*-* *:*:00 UTC"),
        ("hourly", "*-*-* *:00:00 UTC"),
        ("weekly Europe/Paris", "Mon *-*-* 00:00:00 Europe/Paris"),
    ],
)
def test_an_expression_reads_as_systemd_reads_it(text: str, normal: str) -> None:
    parsed = parse_calendar(text, "UTC")
    assert parsed.text == normal
    assert parse_calendar(parsed.text, "Asia/Tokyo") == parsed


@pytest.mark.parametrize(
    "text",
    ["", " ", "noon", "25:00", "03:60", "3", "*/5:00", "*:*/5", "Sat..Mon 1:00", "*-*~1", "03:30:15", "1:2:3:4",
     "13-01 00:00", "*-00-01", "03:30 UTC more", "5..2:00", "0/0:00", "-1:00", "03:30 ../etc", "x" * 600, "۳:30"],
)  # fmt: skip
def test_what_is_no_expression_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_calendar(text, "UTC")
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("text", ["0m", "90s", "6", "6 h", "h", "-6h", "400d", "1.5h", ""])
def test_what_is_no_interval_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_every(text, 0)
