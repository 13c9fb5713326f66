"""A schedule as it is kept: what is to be done when, with which files, and by which scheduler."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from provision.schedule.calendar import parse_calendar
from provision.schedule.names import key_of
from provision.schedule.timetable import Every, zone_of
from provision.schedule.window import Window, parse_window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.schedule.timetable import Timetable

VERSION = 1
SCHEDULERS = ("systemd", "cron", "launchd", "serve")
BUSY = ("skip", "wait", "take")


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule."""

    name: str
    hosts: tuple[str, ...]
    """Words of the inventory: names, groups, globs."""
    timetable: Timetable
    zone: str
    """Whose clocks the window goes by."""
    scheduler: str
    created: float
    command: tuple[str, ...]
    """What `provision` is here, absolute."""
    folder: str
    """Where it is run, absolute."""
    env: Mapping[str, str] = field(default_factory=dict)
    """All variables that a run has."""
    inventory: str | None = None
    playbook: str | None = None
    host_keys: str = "accept-new"
    check_only: bool = False
    frozen: bool = False
    jitter: int = 0
    """Seconds."""
    window: Window | None = None
    busy: str = "skip"
    files: Mapping[str, str] = field(default_factory=dict)
    """Absolute path and SHA-256 of each file that a run reads."""

    @property
    def key(self) -> str:
        """What stands for the name in the names of files and units."""
        return key_of(self.name)


def document(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as JSON has it."""
    plain = asdict(schedule)
    timetable = schedule.timetable
    plain["timetable"] = (
        {"every": timetable.seconds, "anchor": timetable.anchor}
        if isinstance(timetable, Every)
        else {"calendar": timetable.text}
    )
    plain["window"] = schedule.window.text if schedule.window else None
    return {"version": VERSION, **plain}


def schedule_of(plain: object) -> Schedule:
    """Return the schedule of such a document.

    Raises:
        ValueError: it is none; the text says why.
    """
    if not isinstance(plain, dict) or plain.get("version") != VERSION:
        raise ValueError("it is of another version of provision, or damaged")
    known = {one.name for one in fields(Schedule)}
    values = {key: value for key, value in plain.items() if key in known}
    try:
        values["timetable"] = _timetable(values["timetable"])
        values["hosts"], values["command"] = tuple(values["hosts"]), tuple(values["command"])
        values["window"] = parse_window(values["window"]) if values.get("window") else None
        zone_of(values["zone"])
        schedule = Schedule(**values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is damaged: {error}") from None
    texts = (schedule.name, schedule.folder, *schedule.hosts, *schedule.command, *schedule.env.values())
    if (
        not all(isinstance(one, str) for one in texts)
        or schedule.scheduler not in SCHEDULERS
        or schedule.busy not in BUSY
        or not schedule.command
        or not all(isinstance(one, (int, float)) for one in (schedule.created, schedule.jitter))
    ):
        raise ValueError("it is damaged: a field holds what it cannot hold")
    return schedule


def _timetable(plain: dict[str, Any]) -> Timetable:
    if "calendar" in plain:
        return parse_calendar(str(plain["calendar"]), "UTC")
    every = Every(int(plain["every"]), int(plain["anchor"]))
    if every.seconds < 1:
        raise ValueError("it is damaged: its period is none")
    return every
