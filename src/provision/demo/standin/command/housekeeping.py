"""``clean``, ``tos`` and ``run``."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from . import activation, cache, terms
from .errors import StandinError

if TYPE_CHECKING:
    import argparse

    from .session import Session


def clean(session: Session, options: argparse.Namespace) -> int:
    """Remove unused packages, archives and indexes from every package cache."""
    session.confirm()
    gone: list[str] = []
    for place in session.settings.pkgs_dirs:
        gone += cache.clean(
            place,
            packages=options.packages or options.all,
            archives=options.tarballs or options.all,
            indexes=options.index_cache or options.all,
        )
    session.give({"success": True, "removed": gone}, "\n".join(f"Removed {name}" for name in gone))
    return 0


def tos(session: Session, options: argparse.Namespace) -> int:
    """Accept or show the terms of channels; acceptance is recorded for the user."""
    configured = [] if options.override_channels else session.channels([])
    for url in session.addresses([*options.channel, *configured]):
        found = terms.of(url)
        if found is None:
            session.say(f"{url}: no Terms of Service")
        elif options.verb == "accept":
            terms.accept(url, found["version"])
            session.say(f"accepted Terms of Service for {url}")
        else:
            session.say(f"{url}: version {found['version']}\n{found['text']}")
    return 0


def run(session: Session, options: argparse.Namespace) -> int:
    """Run a command in an environment with its variables, and pass its status on."""
    target = session.environment(options.prefix, options.name)
    if not options.command:
        raise StandinError("ArgumentError", "a command is needed", 2)
    environment = {**os.environ, **activation.variables(target)}
    try:
        return subprocess.run(options.command, env=environment, check=False).returncode
    except FileNotFoundError:
        session.say(f"{options.command[0]}: command not found")
        return 127
