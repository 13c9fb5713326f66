"""Schedules for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from provision.schedule.calendar import parse_calendar
from provision.schedule.record import Schedule

ODD = "a b%c$d\"e'é{}&;*"
"""What a folder or a schedule may be called."""


def at(text: str) -> int:
    """Return a moment of UTC, in seconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


def schedule(expression: str = "03:30", zone: str = "UTC", **more: Any) -> Schedule:
    """Return a schedule."""
    made = Schedule(
        name="nightly",
        hosts=("all",),
        timetable=parse_calendar(expression, zone),
        zone=zone,
        scheduler="systemd",
        created=at("2027-01-01T00:00"),
        command=("/usr/bin/provision",),
        folder="/home/me/mymodel",
        env={"PATH": "/usr/bin", "HOME": "/home/me"},
    )
    return replace(made, **more)
