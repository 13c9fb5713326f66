"""The command `env`: what the environments of hosts hold, how they came to it, and how they travel."""

from __future__ import annotations

import argparse
import importlib

from provision.decode.near import suggestion
from provision.errors import UsageError
from provision.report.display import visible

ACTIONS = {
    "lock": ("env_lock", "solve once, here, and write what every host will install"),
    "list": ("env_list", "generations on hosts: size, age, who uses them, which is current"),
    "rollback": ("env_rollback", "make an earlier generation the current one, by one rename"),
    "gc": ("env_gc", "remove generations and packages that nothing uses"),
    "bundle": ("env_bundle", "write all that a lock installs into one file, for hosts without internet"),
    "diff": ("env_diff", "what an environment has against its lock, another host or the local venv"),
    "export": ("env_export", "write an environment.yml from what a host has"),
    "migrate": ("env_migrate", "build a host's environment on another one, its CUDA fitted to the driver there"),
}
"""What may follow `env`: its module below provision.cli, and one line of help."""

EPILOG = """\
examples:
  provision env lock gpu-box           write what every host will install, by checksum
  provision env diff gpu-box --lock    what somebody changed there by hand

`provision env ACTION --help` shows each one's options with examples.
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
        description="What the environments of hosts hold, how they came to it, and how they travel.",
        epilog=f"actions:\n{lines}\n\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
