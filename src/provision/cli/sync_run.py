"""Runs a sync: the tree is read once while the workers connect, then each brings its host to it."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from provision.cli.asking import Asking, typed
from provision.cli.consent import Consent
from provision.cli.open_files import forks_allowed
from provision.cli.project_notes import ProjectNotes
from provision.cli.project_tree import ProjectTree, SyncWay, tree_on
from provision.cli.secrecy import secrets_of
from provision.cli.signals import stopping
from provision.cli.typed_again import agreeing, options_typed
from provision.cli.workspace import through
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.engine.sync import Syncer, sync_once
from provision.errors import ProvisionError
from provision.events import Synced
from provision.ssh.libraries import load_ssh_libraries

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from provision.events import Emit, Event
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.model.plan import Outcome
    from provision.project import Project
    from provision.report.face import Face
    from provision.ssh.route import Route, Settings
    from provision.tree.archive import TreeSource


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
        self._hosts = hosts
        self._routes = routes
        self._stop = Stop()
        self._asking = Asking(self._stop)
        self._settings = through(self._asking, how)
        answerable = sys.stdin.isatty() and sys.stderr.isatty()
        ask = self._asking.through(typed) if answerable else None
        self._notes = ProjectNotes()
        way = SyncWay(asked.take_over, asked.dry_run, asked.checksum, asked.wait)
        self._tree = ProjectTree(project, way, self._notes.take)
        self._consent = Consent(self._tree.state, ask, yes=asked.yes, agreeing=agreeing(name, asked))
        self._ready = threading.Event()

    def run(self) -> int:
        """Sync every host, show what happens, and return the exit code."""
        tree = self._tree.source(self._tree.known(self._hosts))
        load_ssh_libraries()
        watched = self._watched(tree) if self._asked.watch else None

        def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
            if watched is not None:
                return watched(host, emit), ()
            return Syncer(
                self._tree.goal(host, tree, self._consent), tree, self._connect(host), emit, self._stop
            ).run(), ()

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

    def _left_out(self, tree: TreeSource) -> tuple[tuple[str, str], ...]:
        from provision.tree.left_out import left_out

        try:
            skipped = tree.scan().skipped
        except ProvisionError:
            # Every host says so.
            return ()
        rules = {**dict(skipped), **dict(left_out(self._tree.project.root, self._tree.project.include))}
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
        trees = Trees(first, self._tree.renewed)
        watch_project(self._tree.project, changes)

        def watched(host: Host, emit: Emit) -> Outcome:
            def sync(tree: TreeSource, link: Link) -> tuple[Outcome, str]:
                there = ""

                def tell(event: Event) -> None:
                    nonlocal there
                    if isinstance(event, Synced):
                        there = event.result.id
                    emit(event)

                return sync_once(link, self._tree.goal(host, tree, self._consent), tree, tell, self._stop), there

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
            trees={host.name: tree_on(host, self._tree.project) for host in self._hosts},
            watch=self._asked.watch,
        )
