"""A schedule as a launchd agent. Source: the manual page launchd.plist(5)."""

from __future__ import annotations

import plistlib
from itertools import product
from typing import TYPE_CHECKING, Any

from provision.schedule.calendar import Calendar
from provision.schedule.timetable import Every

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.schedule.record import Schedule

MOST = 200
"""Entries of StartCalendarInterval that we write."""


def label(key: str) -> str:
    """Return the agent's name."""
    return f"org.provision.schedule.{key}"


def why_not(timetable: Calendar | Every, zone: str) -> str | None:
    """Return why launchd on a machine in that zone cannot say a timetable; ``None``: it can."""
    if isinstance(timetable, Every):
        return "launchd counts from when it was started"
    if timetable.zone != zone:
        return f"launchd goes by the clocks of {zone}, not of {timetable.zone}"
    if timetable.years is not None:
        return "launchd knows no years"
    if len(intervals(timetable)) > MOST:
        return "it has too many times for launchd"
    return None


def plist(schedule: Schedule, command: Sequence[str], env: Mapping[str, str], zone: str, tick: int) -> bytes:
    """Return the agent's file; one that launchd cannot say looks every `tick` minutes."""
    agent: dict[str, Any] = {
        "Label": label(schedule.key),
        "ProgramArguments": list(command),
        "EnvironmentVariables": dict(env),
        "WorkingDirectory": "/",
        "ProcessType": "Background",
        # What was missed while the machine was off is looked for at login.
        "RunAtLoad": True,
    }
    if isinstance(schedule.timetable, Calendar) and why_not(schedule.timetable, zone) is None:
        agent["StartCalendarInterval"] = intervals(schedule.timetable)
    else:
        agent["StartInterval"] = tick * 60
    return plistlib.dumps(agent)


def intervals(calendar: Calendar) -> list[dict[str, int]]:
    """Return one entry for each combination; what is missing in an entry is any."""
    week = None if calendar.weekdays is None else frozenset((one + 1) % 7 for one in calendar.weekdays)
    named = [
        (key, sorted(numbers))
        for key, numbers in (
            ("Month", calendar.months),
            ("Day", calendar.days),
            ("Weekday", week),
            ("Hour", calendar.hours),
            ("Minute", calendar.minutes),
        )
        if numbers is not None
    ]
    keys = [key for key, _ in named]
    return [dict(zip(keys, values, strict=True)) for values in product(*(numbers for _, numbers in named))]
