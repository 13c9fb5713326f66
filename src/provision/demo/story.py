"""The demo's story: a host appears, `provision` makes it a training machine, a training runs on it, all is gone."""

from __future__ import annotations

import getpass
import os
import re
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import provision
from provision.demo import folder, limits, project
from provision.demo.build import building
from provision.demo.host import EmbeddedHost
from provision.demo.terminal import Terminal
from provision.demo.web import serving
from provision.errors import InterruptedRunError, UnreachableError, UsageError
from provision.report.duration import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.demo.terminal import Typed

HOST = "demo-box"
ROOM = 2_000_000_000
ROOM_FOR_REAL = 4_000_000_000
"""Bytes: Miniconda, its package cache and the environment."""
SOURCE = "https://repo.anaconda.com"
PROBE_SECONDS = 3.0
STANDIN = "this demo uses a stand-in for Miniconda (not conda), made here from your own Python with py-rattler"
PYTHON = f"~/.conda/envs/{project.NAME}/bin/python"
TRAINING = f"cd ~/work/{project.NAME} && {PYTHON} {project.SCRIPT}"


@dataclass
class Told:
    """How the demo went; filled while it goes on."""

    typed: list[Typed] = field(default_factory=list)
    miniconda: str | None = None
    plan_only: str | None = None
    """Why it stopped after the plan."""
    folder: Path | None = None
    """Where everything still is, when it was to be kept."""

    @property
    def exit_code(self) -> int:
        """The first failing command's, 0 when all went well; a plan for a host that can be none is no failure."""
        typed = self.typed[:-1] if self.plan_only else self.typed
        return next((one.exit_code for one in typed if one.exit_code), 0)


def tell(told: Told, *, real: bool, keep: bool, shows: bool) -> None:
    """Play it all in a temporary folder.

    Raises:
        UsageError: py-rattler is missing.
        UnreachableError: the real Miniconda was asked for, and is out of reach.
        UnfitError: there is no disk to play on.
        StepFailedError: the host or the stand-in could not be made.
        InterruptedRunError: the user stopped it.
    """
    told.plan_only = limits.why_plan_only()
    uses_standin = not real and told.plan_only is None
    _require(real=real, uses_standin=uses_standin)
    told.miniconda = "stand-in" if uses_standin else "real" if real else None
    place = folder.choose(folder.candidates(os.environ), ROOM if uses_standin else ROOM_FOR_REAL)
    with folder.temporary(place, keep=keep) as root:
        told.folder = root if keep else None
        for name in ("me", "project"):
            (root / name).mkdir()
        terminal = Terminal(root / "project" / project.NAME, user_environment(root), shows=shows)
        told.typed = terminal.typed
        with terminal.listening():
            try:
                _play(told, terminal, root, uses_standin=uses_standin)
            except KeyboardInterrupt:
                terminal.interrupted = True
            if terminal.interrupted:
                raise InterruptedRunError(
                    "the demo was stopped; its host, processes and files are gone"
                    if not keep
                    else f"the demo was stopped; its files are kept in {root}"
                )


def user_environment(root: Path) -> dict[str, str]:
    """Return the environment of the demo's user: nothing of the real one's settings, keys or known hosts."""
    home = root / "me"
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("XDG_", "PROVISION_", "SSH_", "CONDA", "PIP_TARGET"))
    }
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        # The same provision in every process, wherever it lies.
        "PYTHONPATH": os.pathsep.join(
            filter(None, (str(Path(provision.__file__).parents[1]), os.environ.get("PYTHONPATH")))
        ),
    }


def _require(*, real: bool, uses_standin: bool) -> None:
    if uses_standin and not limits.has_rattler():
        raise UsageError(
            "the demo makes its stand-in for Miniconda with py-rattler, which is not installed",
            hint="in the clone: pip install '.[demo]'",
        )
    if real and not reachable(SOURCE):
        raise UnreachableError(
            f"{SOURCE} does not answer within {PROBE_SECONDS:.0f} s, and the real Miniconda comes from there",
            hint="without --real the demo needs no internet",
        )


def reachable(url: str) -> bool:
    """Return whether a server answers at all, soon."""
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PROBE_SECONDS):  # noqa: S310 - a constant https address
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _play(told: Told, terminal: Terminal, root: Path, *, uses_standin: bool) -> None:
    begun = time.monotonic()
    with ExitStack() as stack:
        login = stack.enter_context(_host(terminal, root))
        standin = stack.enter_context(_standin(terminal, root)) if uses_standin else None
        notes = project.write(root / "project" / project.NAME, standin, gpu=limits.has_gpu())
        terminal.say(f"  project    {root / 'project' / project.NAME}: an example that trains")
        for note in notes:
            terminal.say(f"             {note}")
        for words in _commands(login, plan_only=told.plan_only is not None):
            code = terminal.provision(*words)
            if terminal.interrupted or (code and not (told.plan_only and words[0] == "plan")):
                return
        _end(told, terminal, time.monotonic() - begun)


@contextmanager
def _host(terminal: Terminal, root: Path) -> Iterator[str]:
    host = EmbeddedHost.start(root / "host", root / "me" / "key", _user(), user_environment(root))
    try:
        terminal.say("A host of our own, on this machine:")
        terminal.say(
            f"  host       127.0.0.1:{host.port}, an SSH server for this demo alone; commands really run there"
        )
        terminal.say(f"  its home   {root / 'host' / 'home'}: empty, as on a machine fresh from the provider")
        yield host.login
    finally:
        host.end()


@contextmanager
def _standin(terminal: Terminal, root: Path) -> Iterator[project.StandIn]:
    terminal.say(f"  Miniconda  {STANDIN}")
    folders = root / "standin"
    folders.mkdir()
    with serving(folders / "channel") as url:
        begun = time.monotonic()
        with building(folders, url, user_environment(root) | _pip_settings(), root / "standin.log") as parts:
            channel, installer = next(parts), next(parts)
        terminal.say(f"             made in {duration(time.monotonic() - begun)}, {installer['size'] / 1e6:.0f} MB")
        terminal.say(f"  channel    {url}/channel: Python {channel['python']} of this machine, and a few packages")
        yield project.StandIn(Path(installer["path"]), installer["sha256"], url, channel["numpy"])


def _pip_settings() -> dict[str, str]:
    """Return what pip must still find to fetch numpy as it does for the real user."""
    return {key: os.environ[key] for key in ("HOME", "XDG_CONFIG_HOME") if key in os.environ}


def _commands(login: str, *, plan_only: bool) -> Iterator[tuple[str, ...]]:
    yield ("init", "--ssh", login, "--name", HOST)
    playbook = "cpu" if plan_only else project.PLAYBOOK
    yield ("plan", HOST, "-p", playbook)
    if plan_only:
        return
    yield ("up", HOST, "-p", playbook)
    yield ("verify", HOST, "-p", playbook)
    yield ("up", HOST, "-p", playbook)
    yield ("exec", HOST, "--", TRAINING)


def _end(told: Told, terminal: Terminal, seconds: float) -> None:
    terminal.say()
    if told.plan_only:
        terminal.say(f"The demo stops after the plan: {told.plan_only}.")
        terminal.say(
            "On a Linux machine it goes on to the end. Your own hosts are Linux: from here they work the same."
        )
    else:
        terminal.say(f"The verdict on {HOST}: converged and fit. Nothing is left to do there, and a training ran.")
        terminal.say(f"All of it took {duration(seconds)}.")
    terminal.say()
    terminal.say("Where to look next:")
    terminal.say("  provision init                      in your project: writes hosts.yaml, from your ssh command")
    terminal.say("  provision plan HOST                 what would be done there, and why")
    terminal.say("  provision up HOST                   do it")
    terminal.say("  provision demo --keep               keeps these files, to read them")
    if told.miniconda == "stand-in":
        terminal.say("  provision demo --real               with the real Miniconda, where there is internet")
    if told.folder:
        terminal.say(
            f"\nKept: {told.folder} (project/, me/ with the logs, host/ with the host's files). The host is gone."
        )


def _user() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""
    return name if re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name) else "demo"
