"""The time zone of this machine, by its name in the IANA data base."""

from __future__ import annotations

from pathlib import Path

from provision.errors import UsageError
from provision.schedule.timetable import zone_of

LOCALTIME = Path("/etc/localtime")


def local_zone() -> str:
    """Return the machine's zone as cron and systemd go by it; UTC where nothing names one.

    $TZ does not count: it is that of a terminal.
    """
    try:
        linked = str(LOCALTIME.resolve()).partition("zoneinfo/")[2] if LOCALTIME.is_symlink() else ""
        name = linked or Path("/etc/timezone").read_text("ascii").strip()
        zone_of(name)
    except (OSError, ValueError, UsageError):
        return "UTC"
    return name
