"""The command `demo`: the main job, for real, on a host of our own on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from provision.demo.story import Told

DESCRIPTION = """\
Try everything on a host of our own: an SSH server on 127.0.0.1 with fresh keys, in a temporary folder. `init`, `plan`,
`up` and `verify` run there as you would type them, then a small training. Needs no root, no sshd and no internet:
Miniconda's place is taken by a stand-in (not conda), made here with py-rattler. Nothing is left behind.
"""
EXAMPLES = """\
  provision demo
  provision demo --keep         look at the files afterwards
  provision demo --real         the real Miniconda and conda-forge, over the internet
"""


def main(name: str, argv: list[str]) -> int:
    """Play the demo and return the first failing command's exit code."""
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("--real", action="store_true", help="install the real Miniconda (needs internet)")
    words.add_argument("--keep", action="store_true", help="keep the temporary folder, and say where it is")
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    words.add_argument("-v", "--verbose", action="store_true", help="show what is behind an error")
    asked = words.parse_args(argv)

    from provision.demo.story import Told, tell

    told = Told()
    try:
        tell(told, real=asked.real, keep=asked.keep, shows=not asked.json)
    except ProvisionError as error:
        if asked.json:
            print(json.dumps(document(told, error)))
        raise
    if asked.json:
        print(json.dumps(document(told, None)))
    return told.exit_code


def document(told: Told, error: ProvisionError | None) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "schema_version": 1,
        "command": "demo",
        "exit_code": error.exit_code if error else told.exit_code,
        "miniconda": told.miniconda,
        "plan_only": told.plan_only,
        "folder": str(told.folder) if told.folder else None,
        "steps": [
            {"command": one.command, "exit_code": one.exit_code, "seconds": round(one.seconds, 3), "output": one.output}
            for one in told.typed
        ],
        "error": {"kind": error.kind, "message": error.message, "hint": error.hint} if error else None,
    }
