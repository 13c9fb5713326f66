"""`schedule list`: when each one runs next, and how its last run ended."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from provision.cli import options, schedule_store
from provision.cli.schedule_shown import moment_text
from provision.report.display import one_line
from provision.schedule.decide import next_begin
from provision.schedule.timetable import Every

if TYPE_CHECKING:
    from provision.schedule.record import Schedule

DESCRIPTION = "Show the schedules of this machine: when each one runs next, when it ran last, and what came of it."
EXAMPLES = "  provision schedule list\n  provision schedule list --json\n"
HEAD = ("NAME", "HOSTS", "WHEN", "BY", "NEXT", "LAST", "OUTCOME")


def main(name: str, argv: list[str]) -> int:
    """Run `schedule list`."""
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    asked = words.parse_args(argv)
    now = time.time()
    found, damaged = schedule_store.load_all()
    rows = [_row(one, now) for one in found]
    if asked.json:
        plain = {"schema_version": 1, "command": "schedule list", "exit_code": 0}
        print(json.dumps({**plain, "schedules": rows, "damaged": damaged}, indent=2))
        return 0
    if not rows:
        print("no schedules; for instance: provision schedule add all --daily 03:30")
    else:
        for line in _table([HEAD, *(_cells(row) for row in rows)]):
            print(line)
    for line in damaged:
        print(f"note: {one_line(line)}", file=sys.stderr)
    return 0


def _row(schedule: Schedule, now: float) -> dict[str, Any]:
    past = schedule_store.past(schedule, now)
    return {
        "name": schedule.name,
        "hosts": list(schedule.hosts),
        "when": schedule.timetable.text,
        "every": schedule.timetable.seconds if isinstance(schedule.timetable, Every) else None,
        "zone": schedule.zone,
        "by": schedule.scheduler,
        "folder": schedule.folder,
        "check_only": schedule.check_only,
        "next": next_begin(schedule, past.handled, now),
        "last": past.started,
        "ended": past.ended,
        "outcome": past.outcome,
        "text": past.text,
        "exit_code": past.exit_code,
        "left_alone": {host: one.until for host, one in past.failing.items() if one.until > now},
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    outcome = "-" if row["outcome"] is None else row["outcome"] + (f": {row['text']}" if row["text"] else "")
    return (
        row["name"],
        " ".join(row["hosts"]),
        row["when"] + (" (check only)" if row["check_only"] else ""),
        row["by"],
        moment_text(row["next"], row["zone"]),
        moment_text(row["last"], row["zone"]),
        outcome,
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    shown = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in shown) for at in range(len(HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
