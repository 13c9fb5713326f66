"""The command `sync`: its words; what it does is imported only when it is really asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.cli import options
from provision.errors import UsageError

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Make WORKDIR/PROJECT on the hosts what this project's folder is: only what changed is sent, all of it or nothing appears
there, and what git ignores stays here. What was changed on a host is kept aside there, never lost.
"""
EXAMPLES = (
    "  provision sync                     to the default host\n"
    "  provision sync train '!ali-7'      a group, but for one host\n"
    "  provision sync --dry-run           what would be sent and removed, and what is left out by which rule\n"
    "  provision sync gpu-box --watch     and again after every change, until Ctrl-C\n"
)
TAKE_OVER = (
    "go on also where another machine or folder synced before, or where files of the same names stand that no sync put "
    "there (rsync, scp, git clone): equal ones stay, others are kept aside"
)
WAIT = "wait as long as it takes for another sync that holds the project there (without it: 10 s)"


def main(name: str, argv: list[str]) -> int:
    """Run `sync`."""
    asked = _parse(name, argv)
    if asked.watch and asked.dry_run:
        raise UsageError("--watch and --dry-run do not go together", hint="provision sync --dry-run")
    if asked.watch and asked.json:
        raise UsageError("--watch and --json do not go together: there is one document, when all is over")
    from provision.cli.syncing import sync

    return sync(name, argv, asked)


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    options.add_hosts(words)
    options.add_inventory(words)
    words.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")
    words.add_argument("--watch", action="store_true", help="go on: send each change as soon as it is saved")
    words.add_argument("--yes", action="store_true", help="answer yes where it would ask (secrets, size, removals)")
    words.add_argument("--take-over", action="store_true", help=TAKE_OVER)
    words.add_argument("--checksum", action="store_true", help="read every file anew, here and there; trust no times")
    words.add_argument("--wait", action="store_true", help=WAIT)
    options.add_fleet(words)
    options.add_output(words)
    return words.parse_args(argv)
