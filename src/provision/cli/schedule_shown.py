"""Moments and states of schedules as a person reads them."""

from __future__ import annotations

from datetime import datetime

from provision.schedule.timetable import zone_of


def moment_text(moment: float | None, zone: str) -> str:
    """Return a moment by the clocks of a zone, with their offset from UTC; ``-`` for none."""
    if moment is None:
        return "-"
    return f"{datetime.fromtimestamp(moment, zone_of(zone)):%Y-%m-%d %H:%M %z}"
