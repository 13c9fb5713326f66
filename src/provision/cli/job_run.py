"""Runs a job: the project is synced, the host takes the job, and its output is followed."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli.asking import Asking, typed
from provision.cli.consent import Consent
from provision.cli.job_book import Entry, JobBook
from provision.cli.job_screen import JobScreen
from provision.cli.job_variables import own_variables, variables
from provision.cli.log_screen import LogScreen
from provision.cli.project_notes import ProjectNotes
from provision.cli.project_tree import ProjectTree, SyncWay, tree_on
from provision.cli.secrecy import SHORTEST_SECRET, secrets_of
from provision.cli.signals import stopping
from provision.cli.syncing import check_root
from provision.cli.typed_again import run_agreeing
from provision.cli.workspace import Workspace, settings, through
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.errors import UsageError
from provision.events import JobChanged, Note, Synced
from provision.jobs.ids import new_id
from provision.model.plan import Outcome
from provision.project import find_root
from provision.remote.sources import source
from provision.report.log import RunLog
from provision.ssh.early import dial_early
from provision.ssh.libraries import load_ssh_libraries

if TYPE_CHECKING:
    import argparse

    from provision.cli.job_variables import Variables
    from provision.engine.launch import Launched
    from provision.events import Emit, Event
    from provision.model.host import Host
    from provision.model.job import JobState
    from provision.model.link import Link
    from provision.model.sync import Origin
    from provision.playbook.tasks.environment import EnvironmentTask
    from provision.tree.archive import TreeSource

DIFF_KEPT = 256 << 10
"""Bytes of what differs from the commit that a job's record has."""
KEEP_DAYS, KEEP_GIB = 30, 50.0
"""How long the snapshot and the log of an ended job are kept, and how much all of them may take on a host."""


def run(name: str, argv: list[str], asked: argparse.Namespace) -> int:
    """Run a job of the project that the working folder belongs to; return the exit code.

    Raises:
        UsageError: there is no project here, or a file or the command line cannot be taken.
    """
    check_root(find_root(Path.cwd()))
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select([asked.host] if asked.host else [])
    if len(hosts) != 1:
        names = ", ".join(one.name for one in hosts[:5])
        raise UsageError(f"`run` takes one host, and '{asked.host}' means {len(hosts)}: {names}")
    if asked.up and (code := _up(hosts[0], asked)):
        return code
    return JobRun(name, argv, asked, workspace, hosts[0]).run()


def _up(host: Host, asked: argparse.Namespace) -> int:
    from contextlib import redirect_stdout

    from provision.cli.converge import main

    words = [host.name, "--host-keys", asked.host_keys, *(["-i", asked.inventory] if asked.inventory else [])]
    # Standard output is the job's.
    with redirect_stdout(sys.stderr):
        return main("up", words)


class JobRun:
    """One run of the command."""

    def __init__(self, name: str, argv: list[str], asked: argparse.Namespace, workspace: Workspace, host: Host) -> None:
        project = workspace.project
        if asked.notify:
            from provision.cli.notices import check_channels

            check_channels(project)
        self._name = name
        self._asked = asked
        self._workspace = workspace
        self._host = host
        self._variables = variables(asked.env, asked.env_file, asked.secret, project.secrets, os.environ)
        self._cwd = _folder(asked.cwd, project.root)
        self._route = workspace.route(host)
        dial_early([self._route], 1)
        self._stop = Stop()
        self._asking = Asking(self._stop)
        self._settings = through(self._asking, settings(asked.host_keys))
        self._notes = ProjectNotes()
        way = SyncWay(take_over=asked.take_over, wait=asked.wait)
        self._tree = ProjectTree(project, way, self._notes.take)
        answerable = sys.stdin.isatty() and sys.stderr.isatty()
        ask = self._asking.through(typed) if answerable else None
        self._consent = Consent(self._tree.state, ask, yes=asked.yes, agreeing=run_agreeing(argv))
        self._book = JobBook.of_this_machine()
        self._id = new_id(secrets.token_bytes(8))
        self._nonce = secrets.token_hex(16)
        self._ready = threading.Event()
        self._environment: EnvironmentTask | None = None
        self._ended: JobState | None = None
        self._log = RunLog.open(name, _logged(argv, self._variables), os.environ, secrets=self._hidden())

    def run(self) -> int:
        """Run the job, show what happens, and return the exit code."""
        screen = JobScreen(self._host, tree_on(self._host, self._tree.project), self._asked)
        tree = None if self._asked.no_sync else self._tree.source(self._tree.known((self._host,)))
        load_ssh_libraries()
        if self._variables.absent:
            screen.note(f"not set here, so the job goes without: {', '.join(self._variables.absent)}")

        def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
            return self._work(host, tree, screen, emit)

        events = run_fleet([self._host], work, self._stop, forks=1, fail_fast=False)
        with stopping(self._stop, screen):
            self._notes.begin(screen.note)
            self._asking.begin(screen.quiet)
            # Read while the worker connects.
            try:
                self._environment = environment(self._workspace, self._host, self._asked.environment)
            except UsageError:
                self._stop.ask()
                self._ready.set()
                raise
            self._ready.set()
            for told in events:
                self._log.take(told)
                screen.take(told)
        self._log.close()
        code = screen.finish(self._log.path)
        if self._asked.notify and self._ended is not None:
            from provision.cli.notices import tell_jobs

            tell_jobs([(self._id, self._ended)])
        return code

    def _work(
        self, host: Host, tree: TreeSource | None, screen: JobScreen, emit: Emit
    ) -> tuple[Outcome, tuple[str, ...]]:
        from provision.engine.job_talk import JobRefusedError
        from provision.engine.launch import Launcher
        from provision.ssh.link import SshLink

        if tree is not None:
            tree.start()
        link = SshLink(self._route, self._settings)
        try:
            for text in link.notes:
                emit(Note(text))
            self._ready.wait()
            self._stop.between_steps()
            tree_id = self._synced(link, tree, emit)
            request = self._request(tree, tree_id)
            self._tell_namesake(emit)
            note = self._book.remember(self._entry())
            if note is not None:
                emit(Note(note))
            try:
                launched = Launcher(link, host, request).run(emit, self._stop)
            except JobRefusedError:
                # There is no such job; where the link was lost for good, there may be one.
                self._book.forget(self._id)
                raise
            self._tell_age(launched, emit)
            if self._asked.detach:
                return Outcome.CHANGED, ()
            state = self._followed(link, launched, screen)
        finally:
            link.close()
        self._ended = state
        emit(JobChanged(state))
        return (Outcome.CHANGED if state.exit_code == 0 else Outcome.FAILED), ()

    def _synced(self, link: Link, tree: TreeSource | None, emit: Emit) -> str | None:
        from provision.engine.sync import sync_once

        if tree is None:
            return None
        there: list[str] = []

        def tell(event: Event) -> None:
            if isinstance(event, Synced):
                there.append(event.result.id)
            emit(event)

        sync_once(link, self._tree.goal(self._host, tree, self._consent), tree, tell, self._stop)
        return there[-1] if there else None

    def _request(self, tree: TreeSource | None, tree_id: str | None) -> dict[str, Any]:
        from provision.tree.git import difference

        asked, project = self._asked, self._tree.project
        origin = self._tree.origin(tree) if tree is not None else self._tree.present_origin()
        return {
            "format": 1,
            "state_dir": self._host.state_dir,
            "id": self._id,
            "nonce": self._nonce,
            "name": asked.name,
            "project": project.name,
            "tree": tree_on(self._host, project),
            "command": asked.command,
            "cwd": self._cwd,
            "in_place": asked.in_place,
            "persist": list(project.persist),
            "environment": {"name": self._environment.name} if self._environment is not None else None,
            "env": [list(pair) for pair in (*own_variables(self._host, self._variables), *self._variables.plain)],
            "secrets": [list(pair) for pair in self._variables.secrets],
            "gpus": asked.gpus,
            "max_time": asked.max_time,
            "grace": asked.grace,
            "origin": _origin(origin),
            "tree_id": tree_id,
            "diff": difference(project.root, DIFF_KEPT) if origin.dirty else None,
            "supervisor": source("supervise_job.py"),
            "keep": {"days": KEEP_DAYS, "gib": KEEP_GIB},
            "driver": None,
        }

    def _tell_namesake(self, emit: Emit) -> None:
        name = self._asked.name
        before = next((one for one in self._book.entries() if name is not None and one.name == name), None)
        if before is not None:
            emit(Note(f"'{name}' means this job from now on; the one before is {before.id}"))

    def _entry(self) -> Entry:
        project = self._tree.project
        return Entry(
            id=self._id,
            host=self._host.name,
            target=self._host.target,
            state_dir=self._host.state_dir,
            project=project.name,
            root=str(project.root.resolve()),
            name=self._asked.name,
            command=tuple(self._asked.command),
            notify=self._asked.notify,
        )

    def _tell_age(self, launched: Launched, emit: Emit) -> None:
        from provision.cli.job_environment import age

        if self._environment is None or launched.marker is None:
            return
        changed = age(self._environment, launched.marker)
        if changed is not None:
            name = self._environment.variants[0].spec.source
            emit(
                Note(
                    f"{name} changed since the last `up` of {self._host.name} ({changed[0]} -> {changed[1]}): "
                    "this job uses the environment as it was built",
                    ("provision run --up ... brings it up to date first",),
                )
            )

    def _followed(self, link: Link, launched: Launched, screen: JobScreen) -> JobState:
        from provision.engine.follow import Follower, Heard

        stdout, stderr = screen.streams()
        shown = LogScreen(stdout, stderr)
        follower = Follower(
            link,
            self._host.state_dir,
            launched.job.record.id,
            self._host.env,
            self._stop,
            Heard(shown.take, screen.job_told, screen.link_lost),
        )
        screen.follows = True
        try:
            return follower.run(offset=0)
        finally:
            shown.close()

    def _hidden(self) -> tuple[str, ...]:
        own = [value for _, value in (*self._variables.secrets, *self._variables.plain)]
        return (*secrets_of((self._host,)), *(one for one in own if len(one) >= SHORTEST_SECRET))


def environment(workspace: Workspace, host: Host, name: str | None) -> EnvironmentTask | None:
    """Return the environment that the job is to run in (see `environment_of`)."""
    from provision.cli.job_environment import environment_of

    return environment_of(workspace, host, name)


def _origin(origin: Origin) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(origin)


def _logged(argv: list[str], have: Variables) -> list[str]:
    """Return the command line for the log: no value of a variable stands in it, however short."""
    del have
    at = argv.index("--")
    words: list[str] = []
    for before, word in zip(["", *argv[:at]], argv[:at], strict=False):
        if before == "--env":
            words.append(f"{word.partition('=')[0]}=...")
        elif word.startswith("--env="):
            words.append(f"--env={word[6:].partition('=')[0]}=...")
        else:
            words.append(word)
    return [*words, *argv[at:]]


def _folder(asked: str | None, root: Path) -> str:
    """Return the folder to run in, relative to the project's root."""
    if asked is not None and (asked.startswith(("/", "~")) or ".." in asked.split("/")):
        raise UsageError(f"--cwd {asked}: expected a folder of the project, relative to its root")
    if asked is not None:
        return "" if asked in {"", "."} else asked.strip("/")
    here = Path.cwd().resolve()
    top = root.resolve()
    return "" if here == top or top not in here.parents else os.fspath(here.relative_to(top))
