"""One run of the command: its settings and faults, what it prints, and what it asks."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import prefix
from .errors import StandinError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .faults import Faults
    from .settings import Settings

FIRST_WITHOUT_IMPLICIT_DEFAULTS = (26,)
FIRST_WITH_BROKEN_NODEFAULTS = (26, 7)
FORBIDDEN_IN_NAMES = "/ :#"


class NothingDoneError(Exception):
    """The user was asked and did not say yes: the command ends with status 0 and has done nothing."""


@dataclass(frozen=True)
class Session:
    """The run of one command; with ``as_json`` nothing but one document is printed."""

    settings: Settings
    faults: Faults
    as_json: bool = False
    quiet: bool = False
    yes: bool = False

    def say(self, text: str) -> None:
        """Print a line for people at once, unless JSON was asked for."""
        if not self.as_json:
            print(text, flush=True)

    def give(self, document: object, text: str = "") -> None:
        """Print the result: the document with ``--json``, else the text."""
        if self.as_json:
            print(json.dumps(document, indent=2), flush=True)
        elif text:
            print(text, flush=True)

    def confirm(self) -> None:
        """Ask whether to proceed; an ended standard input is a no, and a no is no failure."""
        if self.yes or self.as_json or self.settings.always_yes:
            return
        print("\nProceed ([y]/n)? ", end="", flush=True)
        line = sys.stdin.readline() if sys.stdin else ""
        if not line or line.strip().lower() in {"n", "no"}:
            print("\nCondaSystemExit: Exiting.\n", flush=True)
            raise NothingDoneError

    def channels(self, given: Sequence[str], own: Sequence[str] = (), *, override: bool = False) -> list[str]:
        """Return the channel names to use: those given, a file's own, then the configured ones."""
        if override:
            if not given and not own:
                raise StandinError("ArgumentError", "--override-channels needs at least one -c / --channel.", 2)
            return list(dict.fromkeys([*given, *own]))
        configured = list(self.settings.channels)
        own = list(own)
        if "nodefaults" in own:
            if self.settings.version >= FIRST_WITH_BROKEN_NODEFAULTS:
                url = self.settings.urls("nodefaults")[0]
                raise StandinError("UnavailableInvalidChannel", f"HTTP 404 NOT FOUND for channel nodefaults <{url}>")
            own.remove("nodefaults")
            configured = []
        elif not configured and self.settings.version < FIRST_WITHOUT_IMPLICIT_DEFAULTS:
            configured = ["defaults"]
        names = list(dict.fromkeys([*given, *own, *configured]))
        if not names:
            raise StandinError(
                "NoChannelsConfiguredError", "No channels are configured; name some with -c or .condarc."
            )
        return names

    def addresses(self, names: Sequence[str]) -> list[str]:
        """Return the addresses of channel names, each once."""
        return list(dict.fromkeys(url for name in names for url in self.settings.urls(name)))

    def target(self, path: str | None, name: str | None) -> Path:
        """Return the prefix that -p or -n mean; neither is a usage error with status 2."""
        if path:
            return Path(path).expanduser().absolute()
        if not name:
            raise StandinError("ArgumentError", "one of the arguments -n/--name -p/--prefix is required", 2)
        if name in ("base", "root"):
            return self.settings.root
        if any(character in name for character in FORBIDDEN_IN_NAMES):
            raise StandinError("CondaValueError", f"Invalid environment name: {name!r}")
        return prefix.locate(self.settings, name) or self.settings.envs_dirs[0] / name

    def environment(self, path: str | None, name: str | None) -> Path:
        """Return the existing environment that -p, -n or CONDA_PREFIX mean, base when nothing says."""
        target = self.target(path, name) if path or name else self.settings.root
        if not prefix.exists(target):
            raise StandinError("EnvironmentLocationNotFound", f"Not a conda environment: {target}")
        return target
