"""Whether a schedule is to run now: missed runs become one, and a run begins in its window or later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from provision.errors import UsageError
from provision.schedule.due import last_due, moments, next_due
from provision.schedule.timetable import DAY, Every, zone_of
from provision.schedule.window import next_opening, own_delay

if TYPE_CHECKING:
    from provision.schedule.record import Schedule

_COUNTED = 1000
_JUDGED = 400
"""Due times that `check` looks at: more than a year of daily ones."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a scheduler that woke us up is answered."""

    kind: Literal["run", "wait", "outside", "not-due"]
    """``wait``: until `begin`, which is near. ``outside``: the window is closed until `begin`."""
    due: int | None = None
    begin: int | None = None
    missed: int = 0
    """Earlier due times that this run stands for as well; 1000 is the most that are counted."""


def decide(schedule: Schedule, handled: float, now: float, *, own_jitter: bool) -> Decision:
    """Return what to do.

    Args:
        schedule: The schedule.
        handled: The due time that the last run was for, or when the schedule was made.
        now: The time.
        own_jitter: Whether we wait ourselves, as the scheduler does not.
    """
    due = last_due(schedule.timetable, now)
    if due is None or due <= handled:
        return Decision("not-due", begin=next_due(schedule.timetable, now))
    missed = 0
    for one in moments(schedule.timetable, handled, due - 1):
        missed += 1
        if missed == _COUNTED or one >= due:
            break
    begin = due + (own_delay(schedule.key, schedule.jitter) if own_jitter else 0)
    moment = max(begin, int(now))
    if schedule.window is not None and not schedule.window.holds(moment, zone_of(schedule.zone)):
        return Decision("outside", due, next_opening(schedule.window, moment, schedule.zone), missed)
    return Decision("wait" if begin > now else "run", due, begin, missed)


def next_begin(schedule: Schedule, handled: float, now: float) -> int | None:
    """Return when a foreground process should look again; what is due and may begin is due now."""
    decision = decide(schedule, handled, now, own_jitter=True)
    if decision.kind == "run":
        return int(now)
    if decision.kind == "not-due" and decision.begin is not None:
        return decision.begin + own_delay(schedule.key, schedule.jitter)
    return decision.begin


def check(schedule: Schedule, now: float) -> None:
    """Refuse a schedule that never runs, or whose delay leads out of its window.

    Raises:
        UsageError: says which.
    """
    due = next_due(schedule.timetable, now)
    if due is None:
        raise UsageError(
            "that timetable is never due again", hint="does the date exist, and is the year still to come?"
        )
    nearest = schedule.timetable.seconds if isinstance(schedule.timetable, Every) else DAY
    if schedule.jitter > nearest:
        raise UsageError("--jitter is longer than the time between two runs")
    if schedule.window is None:
        return
    zone = zone_of(schedule.zone)
    inside = False
    for count, one in enumerate(moments(schedule.timetable, now, now + 366 * DAY)):
        if count == _JUDGED:
            break
        if not schedule.window.holds(one, zone):
            continue
        inside = True
        if not schedule.window.holds(one + schedule.jitter, zone) and not isinstance(schedule.timetable, Every):
            raise UsageError(
                f"with that --jitter a run could begin after the window {schedule.window.text} closes",
                hint="a shorter --jitter, an earlier time, or a longer --window",
            )
    if not inside:
        raise UsageError(f"no time of the timetable lies in the window {schedule.window.text} ({schedule.zone})")
