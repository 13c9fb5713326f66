"""`schedule add`: hands a scheduler of this machine what is to be done when, and says what a run will lack."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import options, schedule_store, schedule_waiters
from provision.cli.schedule_files import digests, uncommitted
from provision.cli.schedule_keys import key_notes
from provision.cli.schedule_shown import moment_text
from provision.cli.schedule_zone import local_zone
from provision.cli.workspace import Workspace
from provision.errors import UsageError
from provision.report.display import one_line
from provision.schedule.calendar import parse_calendar
from provision.schedule.decide import check
from provision.schedule.due import next_due
from provision.schedule.names import default_name, schedule_name
from provision.schedule.record import SCHEDULERS, Schedule, document
from provision.schedule.timetable import parse_amount, parse_daily, parse_every, zone_of
from provision.schedule.window import parse_window

if TYPE_CHECKING:
    import argparse

    from provision.schedule.timetable import Timetable

DESCRIPTION = """\
Have `provision up` (with --check-only: `provision verify --drift`) run on hosts at fixed times. A systemd user timer
does the waiting where there is a user manager, else cron, else launchd on macOS. What a run uses is recorded now:
command, folder, variables, and a digest of hosts.yaml, playbooks, environment files and locks.
"""
EXAMPLES = """\
  provision schedule add all --daily 03:30 --jitter 20m
  provision schedule add train --every 6h --check-only --name drift
  provision schedule add gpu-box --calendar 'Mon..Fri 02:00' --zone Asia/Shanghai --window 01:00-06:00 --wait-idle
  provision schedule add all --daily 03:30 --print      the units or crontab lines; nothing is changed
"""
KEPT = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "SHELL", "PYTHONPATH", "TMPDIR"),
    *("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
    *("AWS_PROFILE", "AWS_CONFIG_FILE", "ALIBABA_CLOUD_REGION_ID"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
"""Variables of now that runs have too: none of them holds a secret."""


def main(name: str, argv: list[str]) -> int:
    """Run `schedule add`."""
    asked = _parse(name, argv)
    now = time.time()
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select(asked.hosts)
    schedule = _schedule(asked, workspace, now)
    schedule = replace(schedule, files=digests(workspace, hosts, asked.playbook))
    check(schedule, now)
    zone = local_zone()
    files = schedule_waiters.shown(schedule, zone)
    notes = [*_notes(schedule, zone), *key_notes(workspace, hosts)]
    due = next_due(schedule.timetable, now)
    if not asked.print:
        _install(schedule, zone, again=asked.replace)
    if asked.json:
        shown = {key: value for key, value in document(schedule).items() if key not in {"version", "env"}}
        plain = {"schema_version": 1, "command": "schedule add", "exit_code": 0, "schedule": shown}
        units = [{"path": path, "text": text} for path, text in files]
        print(json.dumps({**plain, "next": due, "units": units, "notes": notes}, indent=2))
        return 0
    if asked.print:
        for path, text in files:
            print(f"# {one_line(path)}\n{text}")
        if not files:
            print(f"# nothing to install: `provision schedule serve` runs '{one_line(schedule.name)}'")
    else:
        by = "`provision schedule serve`" if schedule.scheduler == "serve" else schedule.scheduler
        shown_due = moment_text(due, schedule.zone)
        print(f"{one_line(schedule.name)}: next at {shown_due}, by {by}; try it: provision schedule run NAME")
    for note in notes:
        print(f"note: {one_line(note)}", file=sys.stderr)
    return 0


def _install(schedule: Schedule, zone: str, *, again: bool) -> None:
    if schedule_store.exists(schedule.name):
        if not again:
            hint = "--replace puts this one in its place; or give another --name"
            raise UsageError(f"there is a schedule '{schedule.name}' already", hint=hint)
        # It may have been in the hands of another scheduler.
        schedule_waiters.uninstall(schedule.key)
    schedule_store.save(schedule)
    try:
        schedule_waiters.install(schedule, zone)
    except UsageError:
        schedule_store.forget(schedule.name)
        raise


def _schedule(asked: argparse.Namespace, workspace: Workspace, now: float) -> Schedule:
    zone = asked.zone or local_zone()
    zone_of(zone)
    words = tuple(asked.hosts) or tuple(workspace.inventory.select((), workspace.project.default))
    name = schedule_name(asked.name) if asked.name is not None else default_name(words, check_only=asked.check_only)
    return Schedule(
        name=name,
        hosts=words,
        timetable=_timetable(asked, zone, now),
        zone=zone,
        scheduler=asked.by or schedule_waiters.choose(),
        created=now,
        command=own_command(),
        folder=str(Path.cwd()),
        env={key: os.environ[key] for key in KEPT if _keeps(key, os.environ.get(key, ""))},
        inventory=str(workspace.inventory.path.absolute()) if workspace.inventory.path is not None else None,
        playbook=asked.playbook,
        host_keys=asked.host_keys,
        check_only=asked.check_only,
        frozen=asked.frozen,
        jitter=parse_amount(asked.jitter) if asked.jitter else 0,
        window=parse_window(asked.window) if asked.window else None,
        busy="wait" if asked.wait_idle else "take" if asked.take_busy else "skip",
    )


def own_command() -> tuple[str, ...]:
    """Return the words that start provision from anywhere: its script, else Python with the module."""
    script = Path(sys.executable).parent / "provision"
    return (str(script),) if os.access(script, os.X_OK) else (sys.executable, "-m", "provision")


def _keeps(key: str, value: str) -> bool:
    # A proxy with a login in it is a secret.
    return bool(value) and value.isprintable() and not (key.lower().endswith("_proxy") and "@" in value)


def _timetable(asked: argparse.Namespace, zone: str, now: float) -> Timetable:
    if asked.daily is not None:
        return parse_daily(asked.daily, zone)
    if asked.every is not None:
        return parse_every(asked.every, now)
    return parse_calendar(asked.calendar, zone)


def _notes(schedule: Schedule, zone: str) -> list[str]:
    notes: list[str] = []
    why = schedule_waiters.why_looking(schedule, zone)
    if why is not None:
        notes.append(f"{schedule.scheduler} only looks every few minutes whether it is due: {why}")
    if schedule.scheduler == "systemd" and schedule_waiters.lingers() is False:
        notes.append("systemd runs your timers only while you are logged in; always: loginctl enable-linger")
    if schedule.scheduler == "cron":
        notes.append("cron lets nothing run while this machine is off or asleep; what was missed runs once after it")
    loose = uncommitted(schedule.files)
    if loose:
        more = f" and {len(loose) - 1} more" if len(loose) > 1 else ""
        notes.append(
            f"{loose[0]}{more} is not committed in git: once it differs from now, runs only check, until it is"
            " committed or the schedule is added anew with --replace"
        )
    return notes


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    options.add_hosts(words)
    when = words.add_mutually_exclusive_group(required=True)
    when.add_argument("--daily", metavar="HH:MM", help="once a day at this time")
    when.add_argument("--every", metavar="TIME", help="again and again, as in 6h, 90m or 2d")
    when.add_argument("--calendar", metavar="EXPR", help="an expression as systemd's OnCalendar= takes it")
    words.add_argument("--zone", metavar="ZONE", help="whose clocks count (default: this machine's)")
    words.add_argument("--check-only", action="store_true", help="`verify --drift`: report, and change nothing")
    words.add_argument("--jitter", metavar="TIME", help="begin up to this much later, always as much")
    words.add_argument("--window", metavar="HH:MM-HH:MM", help="begin in these hours, or wait for the next ones")
    busy = words.add_mutually_exclusive_group()
    busy.add_argument(
        "--skip-busy", action="store_true", help="leave out hosts with a job, or others' work on GPUs (default)"
    )
    busy.add_argument("--wait-idle", action="store_true", help="wait for these until nothing runs there")
    busy.add_argument("--take-busy", action="store_true", help="go on whatever runs there")
    words.add_argument(
        "--frozen", action="store_true", help="fresh locks alone; no run at all with files that changed uncommitted"
    )
    words.add_argument("--name", metavar="NAME", help="what to call it (default: after the hosts)")
    words.add_argument("--replace", action="store_true", help="in place of the one of that name")
    words.add_argument("--by", choices=SCHEDULERS, help="what does the waiting (default: what is here)")
    words.add_argument("-p", "--playbook", metavar="NAME|FILE", help="instead of the hosts' own")
    options.add_inventory(words)
    words.add_argument("--print", action="store_true", help="show the units or lines, and change nothing")
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)
