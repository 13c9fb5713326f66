"""`schedule serve`: runs what is due, in the foreground, one after the other; SIGTERM ends it well."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from provision.cli import options, schedule_store
from provision.report.display import one_line
from provision.schedule.decide import next_begin

if TYPE_CHECKING:
    from provision.schedule.record import Schedule

DESCRIPTION = """\
Wait in the foreground, and run what is due of the schedules that were added with `--by serve`, as in a container. What
was missed while it did not run is run once. It ends by SIGTERM or Ctrl-C, and lets a run that goes on end tidily first.
"""
EXAMPLES = "  provision schedule serve\n  provision schedule serve --all     also those of systemd, cron and launchd\n"
LOOK = 30.0
"""Seconds between two looks: a schedule that is added meanwhile, and a clock that jumps, are seen by then."""
GRACE = 120.0


def main(name: str, argv: list[str]) -> int:
    """Run `schedule serve`."""
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("--all", action="store_true", help="also what another scheduler has, where that is not running")
    asked = words.parse_args(argv)
    running: dict[str, subprocess.Popen[bytes]] = {}
    told: set[str] = set()
    try:
        _say("serving")
        while True:
            found, damaged = schedule_store.load_all()
            for line in set(damaged) - told:
                _say(one_line(line))
            told |= set(damaged)
            mine = [one for one in found if asked.all or one.scheduler == "serve"]
            wait = _look(mine, running)
            time.sleep(wait)
    except KeyboardInterrupt:
        # SIGTERM arrives as Ctrl-C does.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        _end(running)
        _say("ended")
        return 0


def _look(schedules: list[Schedule], running: dict[str, subprocess.Popen[bytes]]) -> float:
    now = time.time()
    for key, child in list(running.items()):
        if child.poll() is not None:
            _say(f"{one_line(key)}: ended with {child.returncode}")
            del running[key]
    wait = 1.0 if running else LOOK
    for schedule in schedules:
        begin = next_begin(schedule, schedule_store.past(schedule, now).handled, now)
        if begin is None or schedule.name in running:
            continue
        if begin > now:
            wait = min(wait, max(begin - now, 0.2))
            continue
        _say(f"{one_line(schedule.name)}: begins")
        command = [*schedule.command, "schedule", "run", "--due", "--", schedule.name]
        running[schedule.name] = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, cwd="/", env=dict(os.environ), start_new_session=True
        )
        wait = 1.0
    return wait


def _end(running: dict[str, subprocess.Popen[bytes]]) -> None:
    for child in running.values():
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
    for child in running.values():
        try:
            child.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _say(text: str) -> None:
    print(f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ} {text}", file=sys.stderr, flush=True)
