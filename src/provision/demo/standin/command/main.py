"""The command's entry: arguments in, exit status out, every failure in conda's words."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from . import activation, settings
from .errors import SignalReceivedError, StandinError
from .faults import Faults
from .session import NothingDoneError, Session

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path


def main(root: Path, emulates: str, arguments: Sequence[str]) -> int:
    """Run one command of the installation at ``root`` and return its exit status."""
    if arguments and arguments[0] == "shell.posix":
        return _shell(root, emulates, list(arguments[1:]))
    from .arguments import parser

    options = parser().parse_args(list(arguments))
    if options.version or not options.subcommand:
        print(f"conda {emulates} (the stand-in, not conda)")
        return 0
    try:
        return _run(root, emulates, options)
    except NothingDoneError:
        return 0
    except (SignalReceivedError, KeyboardInterrupt, ModuleNotFoundError, OSError) as trouble:
        return _fail(_named(trouble), as_json=options.json)
    except StandinError as error:
        return _fail(error, as_json=options.json)


def _run(root: Path, emulates: str, options: argparse.Namespace) -> int:
    loaded = settings.load(root, emulates)
    if options.offline:
        loaded = replace(loaded, offline=True)
    faults = Faults.find(root)
    session = Session(loaded, faults, as_json=options.json, quiet=options.quiet, yes=options.yes)
    status: int = options.run(session, options)
    return status


def _named(trouble: BaseException) -> StandinError:
    if isinstance(trouble, ModuleNotFoundError):
        return StandinError("ModuleNotFoundError", f"{trouble}; the stand-in needs py-rattler")
    if isinstance(trouble, OSError):
        return StandinError(type(trouble).__name__, str(trouble))
    if isinstance(trouble, SignalReceivedError) and trouble.signal_name != "SIGINT":
        return StandinError("CondaSignalInterrupt", f"Signal interrupt {trouble.signal_name}")
    return StandinError("CondaError", "KeyboardInterrupt")


def _fail(error: StandinError, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(error.document(), indent=2), flush=True)
    else:
        print(f"\n{error.name}: {error.message}\n", file=sys.stderr, flush=True)
    return error.status


def _shell(root: Path, emulates: str, arguments: list[str]) -> int:
    loaded = settings.load(root, emulates)
    try:
        if arguments[0] == "deactivate":
            print(activation.deactivate(loaded))
        else:
            print(activation.activate(loaded, arguments[1] if arguments[1:] else "base"))
    except StandinError as error:
        return _fail(error, as_json=False)
    return 0
