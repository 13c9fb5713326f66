"""`schedule run`: does now what a schedule does at its times; schedulers call it with --due."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from provision.cli import options, schedule_store
from provision.cli.schedule_do import Doing, remembered
from provision.errors import BusyError, UsageError
from provision.report.display import one_line
from provision.schedule.decide import decide

if TYPE_CHECKING:
    from provision.schedule.decide import Decision
    from provision.schedule.record import Schedule

DESCRIPTION = """\
Do now what a schedule does at its times, with the recorded variables and folder: so it shows whether the next run can
work. Hosts that are left alone since they keep failing are tried.
"""
EXAMPLES = "  provision schedule run all\n  provision schedule run nightly --json\n"
NAP = 30.0
"""Seconds at once: a machine that slept meanwhile looks at its clock again."""


def main(name: str, argv: list[str]) -> int:
    """Run `schedule run`."""
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("name", metavar="NAME", help="as `provision schedule list` shows it")
    words.add_argument("--due", action="store_true", help=argparse.SUPPRESS)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    asked = words.parse_args(argv)
    schedule = schedule_store.load(asked.name)
    due = time.time()
    if asked.due:
        decision = _wait(schedule)
        if decision.kind != "run" or decision.due is None:
            return 0
        due = decision.due
    with schedule_store.only_one(schedule) as alone:
        if not alone:
            if asked.due:
                return 0
            raise BusyError(f"another run of '{schedule.name}' goes on", hint="provision schedule list")
        if asked.due and _decision(schedule).kind != "run":
            # Another process was faster.
            return 0
        return _done(schedule, due, asked)


def _done(schedule: Schedule, due: float, asked: argparse.Namespace) -> int:
    started = time.time()
    past = schedule_store.past(schedule, started)
    log_path, document = schedule_store.new_run(schedule)
    try:
        log = log_path.open("w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"{log_path}: cannot be written: {error.strerror or error}") from None
    with log:
        doing = Doing(schedule, past, log, by_hand=not asked.due)
        came = doing.run(document)
        doing.say(f"{came.outcome}: {one_line(came.text)}")
        # Kept first: a webhook that hangs must not make the run happen twice.
        schedule_store.remember(schedule, remembered(past, came, due, started))
        doing.tell(came)
    if asked.json:
        plain = {"schema_version": 1, "command": "schedule run", "exit_code": came.exit_code, "name": schedule.name}
        more = {"outcome": came.outcome, "text": came.text, "log": str(log_path), "document": str(document)}
        print(json.dumps({**plain, **more}, indent=2))
    else:
        print(f"{one_line(schedule.name)}: {came.outcome}: {one_line(came.text)}")
        print(f"  -> provision schedule logs {one_line(schedule.name)}", file=sys.stderr)
    return came.exit_code


def _decision(schedule: Schedule) -> Decision:
    now = time.time()
    handled = schedule_store.past(schedule, now).handled
    return decide(schedule, handled, now, own_jitter=schedule.scheduler != "systemd")


def _wait(schedule: Schedule) -> Decision:
    """Return the decision once it is no waiting any more.

    Cron and launchd look again by themselves when a window opens; systemd's timer and `serve` do not call us twice.
    """
    sleeping = {"wait", "outside"} if schedule.scheduler == "systemd" else {"wait"}
    while True:
        decision = _decision(schedule)
        if decision.kind not in sleeping or decision.begin is None:
            return decision
        time.sleep(min(max(decision.begin - time.time(), 0.2), NAP))
