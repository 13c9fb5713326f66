"""Runs a sync: the tree is read once while the workers connect, then each brings its host to it."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
from typing import TYPE_CHECKING

from provision.cli.asking import Asking
from provision.cli.consent import Consent
from provision.cli.open_files import forks_allowed
from provision.cli.project_notes import ProjectNotes
from provision.cli.secrecy import secrets_of
from provision.cli.signals import stopping
from provision.cli.typed_again import agreeing, options_typed
from provision.cli.whoami import whoami
from provision.cli.workspace import through
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.engine.sync import Syncer, SyncGoal, sync_once
from provision.errors import ProvisionError, UsageError
from provision.events import Synced
from provision.model.sync import Origin
from provision.project import FILE_NAME, ROOT_FILES
from provision.ssh.libraries import load_ssh_libraries
from provision.tree.archive import TreeSource
from provision.tree.head import head
from provision.tree.listing import scan_tree
from provision.tree.state import TreeState, base_key, client_id

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from provision.events import Emit, Event
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.model.plan import Outcome
    from provision.model.sync import Question, SyncPlan
    from provision.project import Project
    from provision.report.face import Face
    from provision.ssh.route import Route, Settings
    from provision.tree.listing import Scan

PATIENCE = 10.0
"""Seconds that another sync of the same project is waited for without --wait: most take one."""


class Bases:
    """What each host had last, in the project's state."""

    def __init__(self, state: TreeState) -> None:
        self._state = state

    def load(self, key: str, /) -> bytes | None:
        """Return the manifest's blob that is kept for this host."""
        return self._state.base(key)

    def keep(self, key: str, blob: bytes, /) -> str | None:
        """Remember it; return a note where that cannot be."""
        return self._state.save_base(key, blob)


class SyncRun:
    """One run of the command."""

    def __init__(  # noqa: PLR0917 - what the command line and its files say
        self,
        name: str,
        argv: list[str],
        asked: argparse.Namespace,
        project: Project,
        hosts: tuple[Host, ...],
        routes: dict[str, Route],
        how: Settings,
    ) -> None:
        self._name = name
        self._argv = argv
        self._asked = asked
        self._project = project
        self._hosts = hosts
        self._routes = routes
        self._marks = [one for one in (project.root / name for name in (".git", *ROOT_FILES)) if os.path.lexists(one)]
        self._said = _glance(project.root)
        self._state = TreeState.of(project.root)
        self._bases = Bases(self._state)
        self._stop = Stop()
        self._asking = Asking(self._stop)
        self._settings = through(self._asking, how)
        answerable = sys.stdin.isatty() and sys.stderr.isatty()
        ask = self._asking.through(_answer) if answerable else None
        self._consent = Consent(self._state, ask, yes=asked.yes, agreeing=agreeing(name, asked))
        self._notes = ProjectNotes()
        self._ready = threading.Event()
        self._origin = _Origin(project)

    def run(self) -> int:
        """Sync every host, show what happens, and return the exit code."""
        bases = [self._bases.load(self._key(host)) for host in self._hosts]
        tree = TreeSource(self._scan, expect_first=None in bases and not self._asked.dry_run)
        tree.start()
        threading.Thread(target=self._foresee, args=(tree, bases), name="provision-foresee", daemon=True).start()
        load_ssh_libraries()
        watched = self._watched(tree) if self._asked.watch else None

        def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
            if watched is not None:
                return watched(host, emit), ()
            return Syncer(self.goal(host, tree), tree, self._connect(host), emit, self._stop).run(), ()

        forks = len(self._hosts) if self._asked.watch else self._asked.forks
        events = run_fleet(
            self._hosts,
            work,
            self._stop,
            forks=forks_allowed(forks, len(self._hosts)),
            fail_fast=self._asked.fail_fast,
        )
        face = self._face()
        with stopping(self._stop, face, "stopping" if self._asked.watch else "stopping this sync"):
            self._notes.begin(face.tell)
            self._asking.begin(face.quiet)
            self._ready.set()
            for event in events:
                face.take(event)
            if tree.ready is not None:
                self._notes.take(tree.scan().notes)
            if self._asked.dry_run:
                face.report.left_out = self._left_out(tree)
            for host, questions in self._consent.refused.items():
                face.report.hosts[host].refused = questions
            face.finish()
        return face.exit_code()

    def _foresee(self, tree: TreeSource, bases: list[bytes | None]) -> None:
        """Ask git early for what a changed tree's record will hold: else the end of a short transfer waits for it."""
        try:
            manifest = tree.manifest()
        except ProvisionError:
            return
        if not self._asked.dry_run and any(base != manifest.blob for base in bases):
            self._origin.about(tree)

    def goal(self, host: Host, tree: TreeSource) -> SyncGoal:
        """Return what is wanted of a host."""

        def approve(plan: SyncPlan) -> None:
            self._consent.approve(host.name, plan, tree.scan())

        def foresee(plan: SyncPlan) -> tuple[Question, ...]:
            return self._consent.foresee(host.name, plan, tree.scan())

        return SyncGoal(
            host.workdir,
            host.state_dir,
            self._project.name,
            self._origin.value(),
            approve,
            foresee,
            about=lambda: self._origin.about(tree),
            base_key=self._key(host),
            bases=self._bases,
            take_over=self._asked.take_over,
            dry_run=self._asked.dry_run,
            rehash=self._asked.checksum,
            wait=float("inf") if self._asked.wait else PATIENCE,
            env=host.env,
        )

    def _key(self, host: Host) -> str:
        return base_key(host.name, host.user or "", host.address, host.port, _tree(host, self._project))

    def _check_marks(self) -> None:
        if self._marks and not any(os.path.lexists(one) for one in self._marks):
            # Removed, or no longer mounted: an empty folder would empty the hosts.
            raise UsageError(
                f"the project's folder is gone, or all that made it one: {self._project.root}",
                hint="is it mounted, and were you in the right folder? Nothing was changed on the hosts",
            )

    def _scan(self) -> Scan:
        self._check_marks()
        project = self._present()
        scan = scan_tree(
            project.root,
            include=project.include,
            outside_links=project.links,
            state=self._state,
            rehash=self._asked.checksum,
        )
        # It may have gone while it was looked at.
        self._check_marks()
        self._notes.take(scan.notes)
        return scan

    def _present(self) -> Project:
        """Return the project as its provision.yaml says now: a watch goes on for days.

        Raises:
            BadFileError: it cannot be taken any more.
        """
        said = _glance(self._project.root)
        if said != self._said:
            from provision.project import load_project

            # The folder on the hosts keeps its name: what is there is what this run watches.
            fresh = load_project(self._project.root)
            self._project = dataclasses.replace(self._project, include=fresh.include, links=fresh.links)
            self._said = said
        return self._project

    def _left_out(self, tree: TreeSource) -> tuple[tuple[str, str], ...]:
        from provision.tree.left_out import left_out

        try:
            skipped = tree.scan().skipped
        except ProvisionError:
            # Every host says so.
            return ()
        rules = {**dict(skipped), **dict(left_out(self._project.root, self._project.include))}
        return tuple((os.fsdecode(path), rules[path]) for path in sorted(rules))

    def _connect(self, host: Host) -> Callable[[], Link]:
        def connect() -> Link:
            from provision.ssh.link import SshLink

            link = SshLink(self._routes[host.name], self._settings)
            self._ready.wait()
            return link

        return connect

    def _watched(self, first: TreeSource) -> Callable[[Host, Emit], Outcome]:
        from provision.cli.watched import Trees, watch_project
        from provision.engine.watch import Changes, Watcher

        changes = Changes()
        trees = Trees(first, lambda: TreeSource(self._scan))
        watch_project(self._project, changes)

        def watched(host: Host, emit: Emit) -> Outcome:
            def sync(tree: TreeSource, link: Link) -> tuple[Outcome, str]:
                there = ""

                def tell(event: Event) -> None:
                    nonlocal there
                    if isinstance(event, Synced):
                        there = event.result.id
                    emit(event)

                return sync_once(link, self.goal(host, tree), tree, tell, self._stop), there

            watcher = Watcher(host.target, trees.of, sync, self._connect(host), changes=changes, emit=emit)
            return watcher.run(self._stop)

        return watched

    def _face(self) -> Face:
        # Here, where nobody waits for them, for the workers.
        from provision.report.face import Face
        from provision.report.log import RunLog

        return Face(
            self._name,
            [host.name for host in self._hosts],
            json=self._asked.json,
            verbose=self._asked.verbose,
            log=RunLog.open(self._name, self._argv, os.environ, secrets=secrets_of(self._hosts)),
            dry_run=self._asked.dry_run,
            fail_fast=self._asked.fail_fast,
            options=options_typed(self._asked, without=frozenset({"dry_run", "json", "verbose"})),
            trees={host.name: _tree(host, self._project) for host in self._hosts},
            watch=self._asked.watch,
        )


class _Origin:
    """Where the tree comes from. What takes git a while is asked once for each state of the tree."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._value = Origin(client_id(), str(project.root.resolve()), whoami(), project.name)
        self._asking = threading.Lock()
        self._told: tuple[TreeSource | None, Origin] = (None, self._value)

    def value(self) -> Origin:
        """Return what can be said at once."""
        at = head(self._project.root)
        return self._value if at is None else dataclasses.replace(self._value, commit=at.commit, branch=at.branch)

    def about(self, tree: TreeSource) -> Origin:
        """Return all that is to be known of a tree."""
        with self._asking:
            if self._told[0] is not tree:
                from provision.tree.git import git_state

                git = git_state(self._project.root)
                told = dataclasses.replace(self._value, commit=git.commit, branch=git.branch, dirty=git.dirty)
                self._told = (tree, told)
            return self._told[1]


def _glance(root: Path) -> tuple[int, ...] | None:
    """Return what changes with each write of provision.yaml."""
    try:
        status = (root / FILE_NAME).stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _tree(host: Host, project: Project) -> str:
    return f"{host.workdir.rstrip('/')}/{project.name}"


def _answer(question: str) -> str | None:
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    return line.strip() or None
