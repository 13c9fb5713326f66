"""This project as it goes to the hosts: its scan, and what a sync wants of each host."""

from __future__ import annotations

import dataclasses
import os
import threading
from typing import TYPE_CHECKING

from provision.cli.whoami import whoami
from provision.engine.sync import SyncGoal
from provision.errors import ProvisionError, UsageError
from provision.model.sync import Origin
from provision.project import FILE_NAME, ROOT_FILES
from provision.tree.archive import TreeSource
from provision.tree.head import head
from provision.tree.listing import scan_tree
from provision.tree.state import TreeState, base_key, client_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.cli.consent import Consent
    from provision.model.host import Host
    from provision.model.sync import Question, SyncPlan
    from provision.project import Project
    from provision.tree.listing import Scan

PATIENCE = 10.0
"""Seconds that another sync of the same project is waited for without --wait: most take one."""


@dataclasses.dataclass(frozen=True, slots=True)
class SyncWay:
    """How the command line wants it done."""

    take_over: bool = False
    dry_run: bool = False
    checksum: bool = False
    wait: bool = False


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


class ProjectTree:
    """The project of one run."""

    def __init__(self, project: Project, way: SyncWay, noted: Callable[[list[str]], None]) -> None:
        """`noted` takes the notes of each look at the project."""
        self.project = project
        self.state = TreeState.of(project.root)
        self._way = way
        self._noted = noted
        self._marks = [one for one in (project.root / name for name in (".git", *ROOT_FILES)) if os.path.lexists(one)]
        self._said = _glance(project.root)
        self._bases = Bases(self.state)
        self._origin = _Origin(project)

    def known(self, hosts: tuple[Host, ...]) -> list[bytes | None]:
        """Return what each host had last."""
        return [self._bases.load(self._key(host)) for host in hosts]

    def source(self, known: list[bytes | None]) -> TreeSource:
        """Return the tree, which is being read from now on."""
        tree = self.renewed(expect_first=None in known and not self._way.dry_run)
        tree.start()
        threading.Thread(target=self._foresee, args=(tree, known), name="provision-foresee", daemon=True).start()
        return tree

    def renewed(self, *, expect_first: bool = False) -> TreeSource:
        """Return the tree as it is when it is read next."""
        return TreeSource(self._scan, expect_first=expect_first)

    def _foresee(self, tree: TreeSource, known: list[bytes | None]) -> None:
        """Ask git early for what a changed tree's record will hold: else the end of a short transfer waits for it."""
        try:
            manifest = tree.manifest()
        except ProvisionError:
            return
        if not self._way.dry_run and any(base != manifest.blob for base in known):
            self._origin.about(tree)

    def goal(self, host: Host, tree: TreeSource, consent: Consent) -> SyncGoal:
        """Return what is wanted of a host."""

        def approve(plan: SyncPlan) -> None:
            consent.approve(host.name, plan, tree.scan())

        def foresee(plan: SyncPlan) -> tuple[Question, ...]:
            return consent.foresee(host.name, plan, tree.scan())

        return SyncGoal(
            host.workdir,
            host.state_dir,
            self.project.name,
            self._origin.value(),
            approve,
            foresee,
            about=lambda: self._origin.about(tree),
            base_key=self._key(host),
            bases=self._bases,
            take_over=self._way.take_over,
            dry_run=self._way.dry_run,
            rehash=self._way.checksum,
            wait=float("inf") if self._way.wait else PATIENCE,
            env=host.env,
        )

    def present_origin(self) -> Origin:
        """Return what can be said at once of where the project comes from."""
        return self._origin.value()

    def origin(self, tree: TreeSource) -> Origin:
        """Return all that is to be known of where the tree comes from."""
        return self._origin.about(tree)

    def _key(self, host: Host) -> str:
        return base_key(host.name, host.user or "", host.address, host.port, tree_on(host, self.project))

    def _check_marks(self) -> None:
        if self._marks and not any(os.path.lexists(one) for one in self._marks):
            # Removed, or no longer mounted: an empty folder would empty the hosts.
            raise UsageError(
                f"the project's folder is gone, or all that made it one: {self.project.root}",
                hint="is it mounted, and were you in the right folder? Nothing was changed on the hosts",
            )

    def _scan(self) -> Scan:
        self._check_marks()
        project = self._present()
        scan = scan_tree(
            project.root,
            include=project.include,
            outside_links=project.links,
            state=self.state,
            rehash=self._way.checksum,
        )
        # It may have gone while it was looked at.
        self._check_marks()
        self._noted(scan.notes)
        return scan

    def _present(self) -> Project:
        """Return the project as its provision.yaml says now: a watch goes on for days.

        Raises:
            BadFileError: it cannot be taken any more.
        """
        said = _glance(self.project.root)
        if said != self._said:
            from provision.project import load_project

            # The folder on the hosts keeps its name: what is there is what this run watches.
            fresh = load_project(self.project.root)
            self.project = dataclasses.replace(self.project, include=fresh.include, links=fresh.links)
            self._said = said
        return self.project


class _Origin:
    """Where the tree comes from. What takes git a while is asked once for each state of the tree."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._value = Origin(client_id(), str(project.root.resolve()), whoami(), project.name)
        self._asking = threading.Lock()
        self._told: tuple[TreeSource | None, Origin] = (None, self._value)

    def value(self) -> Origin:
        """Return what can be said at once."""
        at = head(self.project.root)
        return self._value if at is None else dataclasses.replace(self._value, commit=at.commit, branch=at.branch)

    def about(self, tree: TreeSource) -> Origin:
        """Return all that is to be known of a tree."""
        with self._asking:
            if self._told[0] is not tree:
                from provision.tree.git import git_state

                git = git_state(self.project.root)
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


def tree_on(host: Host, project: Project) -> str:
    """Return the path of the project on a host, as the user wrote it."""
    return f"{host.workdir.rstrip('/')}/{project.name}"
