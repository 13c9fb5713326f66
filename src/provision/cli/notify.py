"""The command `notify`: where notices go, and whether they arrive."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.decode.near import suggestion
from provision.errors import ProvisionError, UsageError
from provision.report.display import one_line, visible
from provision.report.stream import write

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from provision.channels import Channel

DESCRIPTION = """\
Show where this project's notices go, as `notify:` of provision.yaml says, or send a test there.

  provision notify list    the channels, what each is told, and what is missing; nobody is asked
  provision notify test    send one message to each channel and say which ones took it
"""
EXAMPLES = "  provision notify list\n  provision notify test\n  provision notify test --to ops --json\n"
ACTIONS = {
    "list": "Show the channels of this project, what each is told, and what is missing. Nobody is asked.",
    "test": "Send one message to each channel, or to one, whatever it is told otherwise, and say which ones took it.",
}
NOT_SENT = 3


def main(name: str, argv: list[str]) -> int:
    """Run `notify list` or `notify test`.

    Raises:
        UsageError: there is no such action or channel, or provision.yaml has none.
    """
    if not argv or argv[0] in {"-h", "--help"}:
        words = options.parser(name, DESCRIPTION, EXAMPLES)
        words.usage = f"provision {name} ACTION ..."
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
    asked = _parse(f"{name} {action}", action, rest)
    return _test(asked) if action == "test" else _list(asked)


def _list(asked: argparse.Namespace) -> int:
    from provision.notify.sending import check_channel

    shown: dict[str, dict[str, Any]] = {}
    for name, channel in _channels().items():
        problem = None
        try:
            check_channel(name, channel, os.environ)
        except ProvisionError as error:
            problem = error.message
        shown[name] = {"kind": channel.kind, "on": list(channel.on), "problem": problem}
    if asked.json:
        _document("notify list", 0, shown)
        return 0
    for name, one in shown.items():
        write(sys.stdout, one_line(f"{name}: {one['kind']}, told of {', '.join(one['on'])}") + "\n")
        if one["problem"]:
            write(sys.stdout, one_line(f"  cannot be used: {one['problem']}") + "\n")
    return 0


def _test(asked: argparse.Namespace) -> int:
    from provision.notify.message import clean
    from provision.notify.sending import send
    from provision.project import load_project

    channels = _channels()
    if asked.to is not None and asked.to not in channels:
        raise UsageError(
            f"there is no channel '{visible(asked.to)[:60]}'{suggestion(asked.to, channels)}",
            hint="provision notify list",
        )
    chosen = {name: one for name, one in channels.items() if asked.to in {None, name}}
    message = clean("test", None, "This is a test of `provision notify test`.", load_project(Path.cwd()).name)
    results = send(chosen, [message], os.environ, everything=True)
    code = NOT_SENT if any(one.error for one in results) else 0
    if asked.json:
        _document("notify test", code, {one.name: {"kind": one.kind, "error": one.error} for one in results})
        return code
    for one in results:
        write(sys.stdout, one_line(f"{one.name} ({one.kind}): {one.error or 'taken'}") + "\n")
    return code


def _channels() -> Mapping[str, Channel]:
    from provision.project import load_project

    found = load_project(Path.cwd()).notify
    if not found:
        raise UsageError(
            "no channel is set up: provision.yaml has no `notify:`",
            hint="notify: {ops: {kind: slack, url: '${PROVISION_NOTIFY_URL}'}}",
        )
    return found


def _document(command: str, code: int, channels: Mapping[str, Any]) -> None:
    shown = {"schema_version": 1, "command": command, "exit_code": code, "channels": channels}
    write(sys.stdout, json.dumps(shown, indent=2) + "\n")


def _parse(name: str, action: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, ACTIONS[action], f"  provision {name}\n  provision {name} --json\n")
    if action == "test":
        words.add_argument("--to", metavar="NAME", help="only this channel")
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)
