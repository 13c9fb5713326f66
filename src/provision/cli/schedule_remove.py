"""`schedule remove`: takes a schedule out of its scheduler, and forgets it with its logs."""

from __future__ import annotations

from provision.cli import options, schedule_store, schedule_waiters
from provision.report.display import one_line
from provision.schedule.names import key_of

DESCRIPTION = """\
Take schedules out of systemd, cron or launchd, and forget them with the logs of their runs. A run that goes on now is
not ended. The ledger keeps what they did.
"""
EXAMPLES = "  provision schedule remove all\n  provision schedule remove nightly drift\n"


def main(name: str, argv: list[str]) -> int:
    """Run `schedule remove`."""
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("names", nargs="+", metavar="NAME", help="as `provision schedule list` shows it")
    asked = words.parse_args(argv)
    for one in asked.names:
        if not schedule_store.exists(one):
            # Says what there is instead; a damaged one exists, and can be removed.
            schedule_store.load(one)
    for one in dict.fromkeys(asked.names):
        schedule_waiters.uninstall(key_of(one))
        schedule_store.forget(one)
        print(f"{one_line(one)}: removed")
    return 0
