"""The command line that the command understands."""

from __future__ import annotations

import argparse

from . import env, export, housekeeping, packages, show


def parser() -> argparse.ArgumentParser:
    """Return the parser; each subcommand names the function that carries it out as ``run``."""
    top = argparse.ArgumentParser(prog="conda", description="The stand-in (not conda).")
    top.add_argument("-V", "--version", action="store_true")
    top.add_argument("--no-plugins", action="store_true")
    commands = top.add_subparsers(dest="subcommand")
    for name, act in (
        ("create", packages.create),
        ("install", packages.install),
        ("remove", packages.remove),
    ):
        one = _command(commands, name, act)
        _place(one)
        _channels(one)
        one.add_argument("specs", nargs="*")
        one.add_argument("--file", action="append", default=[])
        one.add_argument("--all", action="store_true")
        one.add_argument("--no-default-packages", action="store_true")
    _environments(commands)
    listing = _command(commands, "list", show.packages)
    _place(listing)
    listing.add_argument("--explicit", action="store_true")
    listing.add_argument("--md5", action="store_true")
    whole = _command(commands, "export", export.export)
    _export(whole)
    _command(commands, "info", show.info).add_argument("-e", "--envs", action="store_true")
    _place(_command(commands, "doctor", show.doctor))
    _command(commands, "config", show.config).add_argument("--show", nargs="*")
    clean = _command(commands, "clean", housekeeping.clean)
    for flags in (("-p", "--packages"), ("-t", "--tarballs"), ("-i", "--index-cache"), ("-a", "--all")):
        clean.add_argument(*flags, action="store_true")
    terms = _command(commands, "tos", housekeeping.tos)
    terms.add_argument("verb", choices=("accept", "view"))
    _channels(terms)
    run = _command(commands, "run", housekeeping.run)
    _place(run)
    run.add_argument("--no-capture-output", "--live-stream", action="store_true")
    run.add_argument("command", nargs=argparse.REMAINDER)
    return top


def _environments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("env").add_subparsers(dest="verb", required=True)
    for name, act in (("create", env.create), ("update", env.update)):
        one = _command(group, name, act)
        _place(one)
        one.add_argument("-f", "--file", default="environment.yml")
        one.add_argument("--prune", action="store_true")
        one.add_argument("--force", action="store_true")
    _place(_command(group, "remove", env.remove))
    _command(group, "list", env.show)
    _export(_command(group, "export", export.export))


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, act: object
) -> argparse.ArgumentParser:
    one = commands.add_parser(name)
    one.set_defaults(run=act)
    one.add_argument("--json", action="store_true")
    one.add_argument("-q", "--quiet", action="store_true")
    one.add_argument("-v", "--verbose", action="count", default=0)
    one.add_argument("-y", "--yes", action="store_true")
    one.add_argument("--offline", action="store_true")
    one.add_argument("-d", "--dry-run", action="store_true")
    return one


def _place(one: argparse.ArgumentParser) -> None:
    one.add_argument("-p", "--prefix")
    one.add_argument("-n", "--name")


def _channels(one: argparse.ArgumentParser) -> None:
    one.add_argument("-c", "--channel", action="append", default=[])
    one.add_argument("--override-channels", action="store_true")
    one.add_argument("--strict-channel-priority", action="store_true")


def _export(one: argparse.ArgumentParser) -> None:
    _place(one)
    one.add_argument("--from-history", action="store_true")
    one.add_argument("--no-builds", action="store_true")
    one.add_argument("--format", default="environment-yaml")
