"""`schedule logs`: what the last runs of a schedule printed."""

from __future__ import annotations

import sys

from provision.cli import options, schedule_store
from provision.errors import UsageError
from provision.report.display import visible

DESCRIPTION = "Print what the last run of a schedule said, or the last few ones; the 30 newest are kept."
EXAMPLES = "  provision schedule logs all\n  provision schedule logs nightly --runs 5\n"


def main(name: str, argv: list[str]) -> int:
    """Run `schedule logs`."""
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("name", metavar="NAME", help="as `provision schedule list` shows it")
    words.add_argument("--runs", metavar="N", default="1", help="how many runs, the newest last (default 1)")
    asked = words.parse_args(argv)
    if not (asked.runs.isascii() and asked.runs.isdigit() and int(asked.runs) > 0):
        raise UsageError("--runs takes a number of at least 1")
    schedule = schedule_store.load(asked.name)
    folder = schedule_store.runs_folder(schedule.key)
    paths = sorted(folder.glob("*.log"))[-int(asked.runs) :]
    if not paths:
        print("it has not run yet", file=sys.stderr)
    for path in paths:
        print(f"==> {path}")
        try:
            text = path.read_text("utf-8", errors="replace")
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
        for line in text.splitlines():
            print(visible(line))
    return 0
