"""A schedule as lines of a crontab, in a block of our own; every other byte of the crontab stays.

Source: the manual pages crontab(1), crontab(5) of cron (Debian) and cronie.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.schedule.timetable import Every
from provision.schedule.window import own_delay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.schedule.calendar import Calendar
    from provision.schedule.record import Schedule

LONGEST = 990
"""Bytes of a command: cron takes fewer than 1000."""
_UTC = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"})


def why_not(timetable: Calendar | Every, zone: str) -> str | None:
    """Return why a crontab of a machine in that zone cannot say a timetable; ``None``: it can."""
    if isinstance(timetable, Every):
        return _why_not_every(timetable, zone)
    if timetable.zone != zone and not {timetable.zone, zone} <= _UTC:
        return f"cron goes by the clocks of {zone}, not of {timetable.zone}"
    if timetable.years is not None:
        return "cron knows no years"
    if timetable.days is not None and timetable.weekdays is not None:
        return "cron takes either of a day of the month and a weekday, not both"
    return None


def _why_not_every(every: Every, zone: str) -> str | None:
    calendars = every.calendars()
    if calendars is None:
        return "a day is no multiple of it"
    return None if zone in _UTC else f"cron goes by the clocks of {zone}, which may change"


def times(schedule: Schedule, zone: str, tick: int) -> list[str]:
    """Return the times of the lines: the timetable, and looks for what was missed while the machine was off."""
    timetable = schedule.timetable
    if why_not(timetable, zone) is not None:
        return [f"*/{tick} * * * *", "@reboot"]
    calendars = (timetable.calendars() or ()) if isinstance(timetable, Every) else (timetable,)
    lines = [_fields(one) for one in calendars]
    often = any(one.hours is None for one in calendars)
    look = [] if often else [f"{own_delay(f'look {schedule.key}', 60)} * * * *"]
    return [*lines, *look, "@reboot"]


def block(schedule: Schedule, command: Sequence[str], env: Mapping[str, str], zone: str, tick: int) -> bytes:
    """Return the block of a schedule.

    Raises:
        UsageError: its command cannot stand in a crontab.
    """
    line = command_line(command, env)
    begin, end = marks(schedule.key)
    lines = [begin, *(f"{when} {line}".encode() for when in times(schedule, zone, tick)), end]
    return b"".join(one + b"\n" for one in lines)


def command_line(command: Sequence[str], env: Mapping[str, str]) -> str:
    """Return the command as cron hands it to sh: `%` would be a newline there, and is escaped.

    Raises:
        UsageError: crons disagree on what it means, or it is too long.
    """
    words = ["/usr/bin/env", *(f"{key}={value}" for key, value in env.items())] if env else []
    for one in (*words, *command):
        if "\\" in one or not one.isprintable():
            raise UsageError(f"{one!r} cannot stand in a crontab", hint="rename the folder")
    line = f"cd / && {shlex.join([*words, *command])} >/dev/null 2>&1".replace("%", "\\%")
    if len(line.encode()) > LONGEST:
        raise UsageError("the command is too long for a crontab", hint="provision schedule add ... --by serve")
    return line


def marks(key: str) -> tuple[bytes, bytes]:
    """Return the first and the last line of a schedule's block."""
    return f"# >>> provision schedule {key}".encode(), f"# <<< provision schedule {key}".encode()


def with_block(crontab: bytes, key: str, new: bytes) -> bytes:
    """Return a crontab with a schedule's block in place of the one that it has, or at its end; empty: without it.

    Raises:
        UsageError: the block that it has was cut by hand.
    """
    begin, end = marks(key)
    lines = _split(crontab)
    at = [number for number, line in enumerate(lines) if line.rstrip(b"\n") == begin]
    if not at:
        if any(line.rstrip(b"\n") == end for line in lines):
            raise _cut(begin)
        gap = b"\n" if new and crontab and not crontab.endswith(b"\n") else b""
        return crontab + gap + new
    last = next((number for number in range(at[0], len(lines)) if lines[number].rstrip(b"\n") == end), None)
    if last is None or len(at) > 1:
        raise _cut(begin)
    return b"".join(lines[: at[0]]) + new + b"".join(lines[last + 1 :])


def _split(text: bytes) -> list[bytes]:
    """Return lines that only a line feed ends."""
    parts = text.split(b"\n")
    return [*(one + b"\n" for one in parts[:-1]), *([parts[-1]] if parts[-1] else [])]


def _cut(begin: bytes) -> UsageError:
    return UsageError(
        f"the crontab's block '{begin.decode()}' is not whole: somebody changed it by hand",
        hint="crontab -e    remove what is left of it",
    )


def _fields(calendar: Calendar) -> str:
    week = None if calendar.weekdays is None else sorted((one + 1) % 7 for one in calendar.weekdays)
    parts = (calendar.minutes, calendar.hours, calendar.days, calendar.months, week)
    return " ".join("*" if one is None else ",".join(str(number) for number in sorted(one)) for one in parts)
