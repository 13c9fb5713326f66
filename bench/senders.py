"""The command lines that bring a tree to a host, and what each needs before a run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.contestants import ssh
from bench.timing import CommandFailedError, Contestant
from bench.trees import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.lab.host import LabHost

    from bench.stage import Fleet, Stage
    from bench.trees import Tree

Work = Literal["first upload", "nothing changed", "one file changed"]


@dataclass(frozen=True, slots=True)
class Sender:
    """One tool, one tree, one host."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    host: LabHost
    tree: Tree
    there: str
    """Where the tree is on the host."""
    memory: Path | None
    """Where the tool keeps what it knows of trees on this machine, if it does."""
    proves: Mapping[Work, Callable[[str], bool]]

    def contestant(self, work: Work) -> Contestant:
        """Return the command for this work: it is the same for all, what lies before it differs."""
        prepare = {"first upload": self.forget, "nothing changed": _leave, "one file changed": self.tree.edit}[work]
        return Contestant(self.name, self.argv, self.env, self.tree.folder, self.proves[work], prepare)

    def forget(self) -> None:
        """Make the next run a first upload."""
        parent = str(Path(self.there).parent)
        self.host.run(["rm", "-rf", self.there], user=self.host.user, check=True)
        self.host.run(["mkdir", "-p", parent], user=self.host.user, check=True)
        if self.memory is not None:
            shutil.rmtree(self.memory, ignore_errors=True)

    def check(self) -> None:
        """Compare the host's files with the source.

        Raises:
            CommandFailedError: they differ.
        """
        if digest(self.tree.folder) != digest(Path(f"{self.host.root}{self.there}")):
            raise CommandFailedError(f"{self.name}: {self.there} on the host is not what {self.tree.folder} is")


def sync(stage: Stage, fleet: Fleet, tree: Tree) -> Sender:
    """Return `provision sync`, typed in the tree."""
    (host,) = fleet.hosts
    argv = (stage.ours.program("provision"), "sync", host.name, "-i", str(fleet.inventory), "--yes")
    memory = stage.laptop.home / ".local/state/provision/sync"
    there = f"{host.home}/work/{tree.folder.name}"
    proves: dict[Work, Callable[[str], bool]] = {
        "first upload": lambda text: f"first sync: {tree.size:,} files, " in text,
        "nothing changed": lambda text: f"up to date ({tree.size:,} files)" in text,
        "one file changed": lambda text: ": 1 file sent (" in text,
    }
    return Sender("provision sync", argv, stage.env, host, tree, there, memory, proves)


def rsync(stage: Stage, fleet: Fleet, tree: Tree) -> Sender:
    """Return rsync over the same OpenSSH as everywhere here."""
    (host,) = fleet.hosts
    there = f"{host.home}/rsync/{tree.folder.name}"
    way = (f"{tree.folder}/", f"{host.user}@{host.address}:{there}/")
    argv = ("rsync", "-az", "--delete", "--exclude=.git", "-e", " ".join(ssh(fleet)), *way)
    works: tuple[Work, ...] = ("first upload", "nothing changed", "one file changed")
    return Sender("rsync -az --delete", argv, stage.env, host, tree, there, None, dict.fromkeys(works, _silent))


def _leave() -> None:
    pass


def _silent(text: str) -> bool:
    return not text
