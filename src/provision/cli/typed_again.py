"""The options of a `sync` as they were typed, for a command that is to be typed next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from provision.cli.options import DEFAULT_FORKS

if TYPE_CHECKING:
    import argparse

_FLAGS = ("dry_run", "watch", "yes", "take_over", "checksum", "wait", "fail_fast", "json", "verbose")


def options_typed(asked: argparse.Namespace, *, without: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return the options, each as one text, less those flags."""
    words = [f"-i {shlex.quote(asked.inventory)}"] if asked.inventory else []
    words += [f"--host-keys {asked.host_keys}"] if asked.host_keys != "accept-new" else []
    words += [f"--{one.replace('_', '-')}" for one in _FLAGS if getattr(asked, one) and one not in without]
    words += [f"--forks {asked.forks}"] if asked.forks != DEFAULT_FORKS else []
    return tuple(words)


def run_agreeing(argv: list[str]) -> str:
    """Return a command line of `run` with a yes to the questions of its sync."""
    return shlex.join(["provision", "run", "--yes", *argv])


def agreeing(name: str, asked: argparse.Namespace) -> str:
    """Return the same command with a yes to its questions."""
    hosts = [shlex.quote(one) for one in asked.hosts]
    return " ".join(["provision", name, *hosts, *options_typed(asked, without=frozenset({"yes"})), "--yes"])
