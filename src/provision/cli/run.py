"""The command `run`: its words; what it does is imported only when it is really asked for."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

from provision.cli import options
from provision.decode import printable
from provision.errors import ProvisionError, UsageError

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Sync the project, take a snapshot of it on the host, and run a command there that outlives this laptop, in the
project's environment. Its output is followed; Ctrl-C leaves it running. The words after -- arrive exactly as typed.
"""
EXAMPLES = """\
  provision run gpu-box -- python train.py --epochs 30
  provision run --detach --name baseline gpu-box -- python train.py
  provision run gpu-box --gpus 2 -- torchrun --nproc-per-node 2 train.py     waits until two GPUs are free
  provision run gpu-box --env LR=3e-4 --max-time 8h -- sh -c 'python train.py && python eval.py'
"""
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_SPAN = 3650 * 86400.0
_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhd]?)")
FORGOTTEN = "the command follows -- : what stands before it is for provision"
VALUED = frozenset(
    (
        "--cwd",
        "--env",
        "--env-file",
        "--environment",
        "--gpus",
        "--grace",
        "--host-keys",
        "--inventory",
        "--max-time",
        "--name",
        "--secret",
        "-i",
    )
)
"""Options whose value is the next word."""


def main(name: str, argv: list[str]) -> int:
    """Run `run`."""
    if "--" not in argv:
        if {"-h", "--help"} & set(argv):
            _words(name).parse_args(argv)
        raise _forgotten(name, argv)
    at = argv.index("--")
    asked = _words(name).parse_args(argv[:at])
    asked.command = argv[at + 1 :]
    if not asked.command:
        raise UsageError("no command: it follows --", hint="provision run HOST -- COMMAND")
    if not asked.command[0]:
        raise UsageError("the command's first word is empty", hint="provision run HOST -- COMMAND")
    if asked.up and asked.no_sync:
        raise UsageError("--up and --no-sync do not go together: --up may build from a file that is not sent")
    from provision.cli.job_run import run

    return run(name, argv, asked)


def _words(name: str) -> argparse.ArgumentParser:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.usage = "provision run [HOST] [options] -- COMMAND [WORD ...]"
    words.add_argument("host", nargs="?", metavar="HOST", help="one host; none: the default host")
    options.add_inventory(words)
    words.add_argument("-d", "--detach", action="store_true", help="do not follow it: print its id and end")
    words.add_argument(
        "--name", type=_name, help="a name for it, besides its id; of several with one, the newest is meant"
    )
    words.add_argument("--gpus", type=_gpus, metavar="N", help="wait for N free GPUs, and see these alone (0: none)")
    words.add_argument("--max-time", type=span, metavar="TIME", help="stop it after so long: 90s, 30m, 8h, 2d")
    words.add_argument(
        "--grace", type=span, default=10.0, metavar="TIME", help="between TERM and KILL when it is stopped (10s)"
    )
    words.add_argument(
        "--env", action="append", default=[], metavar="K=V", help="a variable for it; K alone: with its value here"
    )
    words.add_argument("--env-file", action="append", default=[], metavar="FILE", help="lines K=V for it")
    words.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="K",
        help="hand K over with its value here, seen nowhere else (as `secrets:` of provision.yaml are)",
    )
    words.add_argument(
        "--notify", action="store_true", help="tell its end through `notify:` of provision.yaml, when we see it"
    )
    words.add_argument("--environment", metavar="NAME", help="another environment of the project than its first one")
    words.add_argument(
        "--cwd", metavar="DIR", help="folder of the project to run in (default: the one that you are in)"
    )
    words.add_argument("--up", action="store_true", help="bring the host to its playbook first, as `provision up` does")
    words.add_argument("--no-sync", action="store_true", help="run what the host has")
    words.add_argument(
        "--in-place",
        action="store_true",
        help="run in the project's folder itself: a later sync changes it below the job",
    )
    words.add_argument("--yes", action="store_true", help="answer yes where the sync would ask")
    words.add_argument("--take-over", action="store_true", help="as for sync")
    words.add_argument("--wait", action="store_true", help="wait as long as it takes for another sync")
    options.add_output(words)
    return words


def span(text: str) -> float:
    """Read a length of time in seconds: ``90``, ``90s``, ``30m``, ``8h``, ``2d``."""
    found = _SPAN.fullmatch(text.lower())
    seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= LONGEST_SPAN:
        raise UsageError(f"'{printable(text[:20])}' is no length of time", hint="90s, 30m, 8h or 2d")
    return seconds


def _gpus(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 1024):  # noqa: PLR2004 - more than any machine has
        raise UsageError(f"'{text[:20]}' is no number of GPUs", hint="--gpus 1")
    return int(text)


def _name(text: str) -> str:
    from provision.project import project_name

    try:
        return project_name(text)
    except ValueError as error:
        raise UsageError(str(error).replace("a project name", "a name for a job")) from None


def _forgotten(name: str, argv: list[str]) -> UsageError:
    """Return the error for a command line without ``--``, with the line that was meant."""
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in VALUED else 1
    ours, rest = argv[:at], argv[at:]
    if not rest:
        return UsageError("no command: it follows --", hint="provision run HOST -- COMMAND")
    if rest[0] in _hosts(argv):
        ours, rest = [*ours, rest[0]], rest[1:]
        later = 0
        # Options may stand behind the host too.
        while later < len(rest) and rest[later].startswith("-"):
            later += 2 if rest[later] in VALUED else 1
        ours, rest = [*ours, *rest[:later]], rest[later:]
    meant = shlex.join(["provision", name, *ours])
    return UsageError(FORGOTTEN, hint=f"{meant} -- {shlex.join(rest) if rest else 'COMMAND'}")


def _hosts(argv: list[str]) -> frozenset[str]:
    from provision.cli.workspace import Workspace

    inventory = next((argv[at + 1] for at, one in enumerate(argv[:-1]) if one in {"-i", "--inventory"}), None)
    with suppress(ProvisionError, OSError):
        return frozenset(Workspace.open(inventory).inventory.hosts)
    return frozenset()
