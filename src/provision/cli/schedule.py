"""The command `schedule`: hosts are brought back to what the files say at fixed times, or only checked."""

from __future__ import annotations

import argparse
import importlib

from provision.decode.near import suggestion
from provision.errors import UsageError
from provision.report.display import visible

ACTIONS = {
    "add": ("schedule_add", "have hosts brought up to date, or checked, at fixed times"),
    "list": ("schedule_list", "when each one runs next, and how the last run ended"),
    "remove": ("schedule_remove", "take one out of the scheduler, and forget it"),
    "run": ("schedule_run", "do now what one does at its times"),
    "logs": ("schedule_logs", "what its last runs printed"),
    "serve": ("schedule_serve", "wait in the foreground and run what is due, as in a container"),
}
"""What may follow `schedule`: its module below provision.cli, and one line of help."""

EPILOG = """\
examples:
  provision schedule add all --daily 03:30          every night, as `provision up all` does it
  provision schedule add all --every 6h --check-only      report drift, change nothing
  provision schedule list

`provision schedule ACTION --help` shows each one's options with examples.
"""


def main(name: str, argv: list[str]) -> int:
    """Run one of the actions; without one, say which there are.

    Raises:
        UsageError: there is no such action.
    """
    if not argv or argv[0] in {"-h", "--help", "help"}:
        words = _words(name)
        if argv:
            words.parse_args(["--help"])
        words.print_help()
        return 2
    action, *rest = argv
    if action not in ACTIONS:
        raise UsageError(
            f"there is no `provision {name} {visible(action)[:60]}`{suggestion(action, ACTIONS)}",
            hint=f"provision {name} --help",
        )
    module = importlib.import_module(f"provision.cli.{ACTIONS[action][0]}")
    code: int = module.main(f"{name} {action}", rest)
    return code


def _words(name: str) -> argparse.ArgumentParser:
    lines = "\n".join(f"  {action:<10}{text}" for action, (_, text) in ACTIONS.items())
    return argparse.ArgumentParser(
        prog=f"provision {name}",
        usage=f"provision {name} ACTION ...",
        description="Bring hosts back to what the files say at fixed times; systemd, cron or launchd does the waiting.",
        epilog=f"actions:\n{lines}\n\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
