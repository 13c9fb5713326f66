"""The command `pull`: files of a host, here."""

from __future__ import annotations

import json
import os
import shlex
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asking import Asking
from provision.cli.pull_screen import Pressed, Screen
from provision.cli.pull_text import document, path_text, summary
from provision.cli.secrecy import secrets_of
from provision.cli.signals import stopping
from provision.cli.workspace import Workspace, settings, through
from provision.engine.fleet import run_fleet
from provision.engine.pull import Puller
from provision.engine.pull_choice import Wish
from provision.engine.stop import Stop
from provision.errors import ProvisionError, UsageError
from provision.events import HostFinished, Note
from provision.ledger.recorder import current
from provision.model.plan import Outcome
from provision.project import find_root
from provision.report.display import one_line
from provision.report.exit_code import CODES
from provision.report.fold import Report
from provision.report.log import RunLog
from provision.sync.pulling import MOST_ENTRIES, MOST_LISTED
from provision.sync.sizes import sized
from provision.tree.pulled import check_destination

if TYPE_CHECKING:
    from provision.engine.pull import Pulled
    from provision.events import Emit
    from provision.model.host import Host

DESCRIPTION = """\
Bring files of a host here. PATH stands below the project's folder there, or is ~/... or absolute; patterns such as
outputs/*.pt are read on the host. As with scp, an existing folder DEST gets PATH's last name inside it; else DEST is
the new name. A pull that was broken off goes on where it was; what is here already is not brought again.
JOB alone brings what a job made, in a folder that is named by its id; JOB:PATH a path of its snapshot.
"""
EXAMPLES = """\
  provision pull gpu-box:outputs
  provision pull gpu-box:'outputs/*.pt' weights/
  provision pull gpu-box:~/.cache/report.html report.html
  provision pull gpu-box:outputs --dry-run       what would come
  provision pull last                            what the newest job made
  provision pull baseline:checkpoints weights/
"""
NAMED = 5
"""Hosts of a group that are named."""
SHOWN = 20
"""Paths that are shown of those that did not come."""


def main(name: str, argv: list[str]) -> int:
    """Pull, tell what came, and return the exit code."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    host, root, path, unlike = _meant_there(asked, workspace)
    hosts = (host,)
    check_destination(asked.dest)
    route = workspace.route(host)
    times = 10 if asked.yes else 1
    wish = Wish(
        host.target,
        root,
        path,
        host.state_dir,
        asked.dest,
        overwrite=asked.overwrite,
        checksum=asked.checksum,
        dry_run=asked.dry_run,
        most=MOST_ENTRIES * times,
        most_bytes=MOST_LISTED * times,
        env=host.env,
        unlike=unlike,
    )
    umask = os.umask(0o077)
    os.umask(umask)
    screen, stop = Screen(host.name, quiet=asked.json), Stop()
    asking = Asking(stop)
    how = through(asking, settings(asked.host_keys))
    done: list[Pulled] = []

    def work(one: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        del one
        from provision.ssh.link import SshLink

        link = SshLink(route, how)
        try:
            for note in link.notes:
                emit(Note(note))
            pulled = Puller(wish, link, emit, stop, environ=os.environ, umask=umask).run()
        finally:
            link.close()
        done.append(pulled)
        if pulled.refused:
            return Outcome.FAILED, ()
        if pulled.planned:
            return Outcome.PENDING, ()
        return (Outcome.CHANGED if any(pulled.counts) else Outcome.CONVERGED), ()

    finished = HostFinished(Outcome.CRASHED)
    log = RunLog.open(name, argv, os.environ, secrets=secrets_of(hosts))
    report = Report(name, [host.name])
    recorded = current()
    if recorded is not None:
        recorded.take(report)
    with stopping(stop, Pressed(screen)):
        asking.begin(nullcontext)
        for told in run_fleet(hosts, work, stop, forks=1, fail_fast=False):
            log.take(told)
            report.take(told)
            screen.take(told.event)
            if isinstance(told.event, HostFinished):
                finished = told.event
    screen.close()
    log.close()
    code = finished.failure.exit_code if finished.failure is not None else CODES[finished.outcome]
    if asked.json:
        print(json.dumps(document(host.name, code, finished, done[0] if done else None)))
    _tell(screen, host.name, finished, done[0] if done else None, quiet=asked.json)
    _tell_log(screen, log, finished)
    return code


def _tell_log(screen: Screen, log: RunLog, finished: HostFinished) -> None:
    if log.problem:
        screen.say(log.problem)
    elif finished.failure is not None:
        screen.say(f"log:  {log.path}")


def _meant_there(asked: Any, workspace: Workspace) -> tuple[Host, str, str, str]:
    """Return the host, the folder there, the path below it, and the list of what is to be left out."""
    from provision.cli.pull_job import job_place

    place = job_place(asked.source, workspace, asked)
    if place is not None:
        return place.host, place.root, place.path, place.unlike
    called, path = _named(asked.source, asked.inventory)
    hosts = workspace.select([called])
    if len(hosts) != 1:
        names = ", ".join(one.name for one in hosts[:NAMED]) + (", ..." if len(hosts) > NAMED else "")
        raise UsageError(
            f"`pull` takes one host, and '{called}' means {len(hosts)}: {names}",
            hint=f"provision pull {shlex.quote(f'{hosts[0].name}:{path}')}",
        )
    host = hosts[0]
    root = "~" if find_root(Path.cwd()) is None else f"{host.workdir}/{workspace.project.name}"
    return host, root, path, ""


def _named(text: str, inventory: str | None) -> tuple[str, str]:
    """Return the host's name and the path of what was typed."""
    called, colon, path = text.partition(":")
    if not colon:
        raise UsageError(f"'{text[:60]}' is not HOST:PATH", hint=_meant(text, inventory))
    if not called or not path or "\0" in path:
        raise UsageError(f"'{text[:60]}' is not HOST:PATH", hint=_meant(called, inventory))
    return called, path


def _meant(text: str, inventory: str | None) -> str:
    """Return what somebody may have meant who typed a host alone, or a path alone."""
    hosts: tuple[str, ...] = ()
    with suppress(ProvisionError):
        hosts = tuple(Workspace.open(inventory).inventory.hosts)
    if text in hosts:
        return f"HOST:PATH pulls a path: provision pull {text}:outputs"
    whole = f"{next(iter(hosts), 'gpu-box')}:{text[:60] or 'outputs'}"
    return f"HOST:PATH pulls a path: provision pull {shlex.quote(whole)}"


def _parse(name: str, argv: list[str]) -> Any:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("source", metavar="HOST:PATH|JOB[:PATH]", help="what to bring")
    words.add_argument("dest", nargs="?", default=".", metavar="DEST", help="where to (default: here)")
    options.add_inventory(words)
    options.add_output(words)
    words.add_argument("--dry-run", action="store_true", help="list what would come, and write nothing")
    words.add_argument("--overwrite", action="store_true", help="also replace files here that no pull brought")
    words.add_argument("--checksum", action="store_true", help="compare files of the same size by their content")
    words.add_argument("--yes", action="store_true", help="take more than 200,000 files and folders")
    return words.parse_args(argv)


def _tell(screen: Screen, name: str, finished: HostFinished, pulled: Pulled | None, *, quiet: bool) -> None:
    if finished.failure is not None:
        text = finished.failure.message.removeprefix(f"{name}: ")
        screen.say(f"{name}: {text}")
        if finished.failure.hint:
            screen.say(f"  -> {finished.failure.hint}")
    if pulled is None or quiet:
        return
    for note in pulled.notes:
        screen.say(f"note: {note}")
    for path, length in pulled.planned or ():
        print(one_line(path_text(path)) if path.endswith(b"/") else f"{one_line(path_text(path))}  {sized(length)}")
    for why, paths in (("not pulled", pulled.refused), ("left out", pulled.left_out)):
        for path, reason in list(paths.items())[:SHOWN]:
            screen.say(f"{why}: {path_text(path)}: {reason}")
        if len(paths) > SHOWN:
            screen.say(f"{why}: {len(paths) - SHOWN} more (--json lists all)")
    print(one_line(summary(pulled)), flush=True)
