"""A schedule as a pair of systemd user units.

Source: the manual pages systemd.syntax(7), systemd.service(5) (COMMAND LINES), systemd.timer(5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.schedule.calendar import Calendar
from provision.schedule.due import after_gaps
from provision.schedule.timetable import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.schedule.record import Schedule

GAPS = 5 * 366 * DAY
"""How far ahead times that the clock skips are written out: systemd leaves such a time out."""
MOST_GAPS = 50


@dataclass(frozen=True, slots=True)
class Units:
    """The text of both files, and the name that they share."""

    name: str
    service: str
    timer: str


def unit_name(key: str) -> str:
    """Return the name of a schedule's units, without their suffix."""
    return f"provision-{key}"


def units(schedule: Schedule, command: Sequence[str], env: Mapping[str, str], tick: int) -> Units:
    """Return the units of a schedule; `tick` is the minutes between two looks where systemd cannot say the timetable.

    Raises:
        UsageError: a path holds what no unit can.
    """
    name = unit_name(schedule.key)
    variables = "".join(f"Environment={quoted(f'{key}={value}', command=False)}\n" for key, value in env.items())
    title = _title(f"provision schedule {schedule.name}")
    service = (
        f"[Unit]\nDescription={title}\nAfter=network-online.target\n\n"
        f"[Service]\nType=oneshot\nWorkingDirectory=/\n{variables}"
        f"ExecStart={' '.join(quoted(one) for one in command)}\n"
        "# What a run exits with is kept in `provision schedule logs`.\nNice=5\n"
    )
    delay = f"RandomizedDelaySec={schedule.jitter}s\nFixedRandomDelay=true\n" if schedule.jitter else ""
    lines = "".join(f"OnCalendar={one}\n" for one in expressions(schedule, tick))
    timer = (
        f"[Unit]\nDescription={title}\n\n[Timer]\n{lines}Persistent=true\nAccuracySec=1s\n{delay}"
        "\n[Install]\nWantedBy=timers.target\n"
    )
    return Units(name, service, timer)


def expressions(schedule: Schedule, tick: int) -> list[str]:
    """Return the values of OnCalendar=, with the moments after gaps of the coming years."""
    timetable = schedule.timetable
    if not isinstance(timetable, Calendar):
        calendars = timetable.calendars()
        return [f"*-*-* *:0/{tick}:00 UTC"] if calendars is None else [one.text for one in calendars]
    gaps: list[str] = []
    for moment in after_gaps(timetable, schedule.created, schedule.created + GAPS):
        gaps.append(f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%d %H:%M:%S} UTC")
        if len(gaps) == MOST_GAPS:
            break
    return [timetable.text, *gaps]


def quoted(word: str, *, command: bool = True) -> str:
    """Return a word of a unit file that means itself: no specifier, no variable, no escape is seen in it.

    Raises:
        UsageError: it has a control character, or is no UTF-8.
    """
    if not word.isprintable() or "\ufffd" in word:
        raise UsageError(f"{word!r} cannot stand in a unit file", hint="rename the folder")
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text.replace("$", "$$") if command else text}"'


def _title(text: str) -> str:
    # A backslash at the end of the line would join the next one.
    return text.replace("%", "%%").replace("\\", "/")
