"""Options that several commands share."""

from __future__ import annotations

import argparse

from provision.cli.main import Parser
from provision.errors import UsageError

DEFAULT_FORKS = 32


def parser(name: str, description: str, examples: str) -> Parser:
    """Return the parser of one command, with its examples below the options."""
    return Parser(
        prog=f"provision {name}",
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_hosts(words: argparse.ArgumentParser) -> None:
    """Add the hosts that a command is about."""
    words.add_argument(
        "hosts",
        nargs="*",
        metavar="HOST",
        help="names, groups, globs (gpu-*), all, !not-this; none: the default host",
    )


def add_inventory(words: argparse.ArgumentParser) -> None:
    """Add where hosts come from and how they are reached."""
    words.add_argument("-i", "--inventory", metavar="FILE", help="hosts.yaml to use (default: found upwards from here)")
    words.add_argument(
        "--host-keys",
        choices=("accept-new", "strict"),
        default="accept-new",
        help="what to do with a host whose key is not known yet (a changed key is always refused)",
    )


def add_fleet(words: argparse.ArgumentParser) -> None:
    """Add how many hosts at once."""
    words.add_argument(
        "--forks",
        type=count,
        default=DEFAULT_FORKS,
        metavar="N",
        help=f"hosts at once (default {DEFAULT_FORKS})",
    )
    words.add_argument("--fail-fast", action="store_true", help="begin with no further host once one has failed")


def add_output(words: argparse.ArgumentParser) -> None:
    """Add how the result is shown."""
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    words.add_argument("-v", "--verbose", action="store_true", help="show every line that the hosts print")


def count(text: str) -> int:
    """Read a number of at least one."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:  # noqa: PLR2004 - threads and sockets end somewhere
        raise UsageError(f"'{text[:20]}' is not a number of hosts, expected 1 to 1000")
    return int(text)
