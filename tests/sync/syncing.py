"""A developer who syncs a project to one host over a link that stays open."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.engine.stop import Stop
from provision.engine.sync import SyncGoal, sync_once
from provision.model.sync import Origin
from provision.tree.archive import TreeSource
from provision.tree.listing import scan_tree
from provision.tree.state import TreeState

if TYPE_CHECKING:
    from pathlib import Path

    from provision.events import Event
    from provision.model.link import Link
    from provision.model.plan import Outcome
    from tests.lab.host import LabHost

CLIENT = "c" * 32


@dataclass
class Remembered:
    """What a host had last, kept as the command line keeps it."""

    state: TreeState

    def load(self, key: str, /) -> bytes | None:
        """Return it."""
        return self.state.base(key)

    def keep(self, key: str, blob: bytes, /) -> None:
        """Remember it."""
        self.state.save_base(key, blob)


@dataclass
class Developer:
    """A project here, and its tree on a host."""

    project: Path
    state: Path
    host: LabHost
    link: Link
    events: list[Event] = field(default_factory=list)

    @property
    def there(self) -> bytes:
        """The host's tree, seen from here."""
        return os.fsencode(f"{self.host.root}{self.host.home}/work/{self.project.name}")

    def sync(self, *, take_over: bool = False) -> Outcome:
        """Sync once, and return how it ended."""
        state = TreeState(self.state / self.project.name)
        source = TreeSource(lambda: scan_tree(self.project, state=state))
        goal = SyncGoal(
            workdir="~/work",
            state_dir="~/.provision",
            project=self.project.name,
            origin=Origin(CLIENT, str(self.project), "dev@laptop", self.project.name),
            approve=lambda _: None,
            base_key="host",
            bases=Remembered(state),
            take_over=take_over,
        )
        try:
            return sync_once(self.link, goal, source, self.events.append, Stop())
        finally:
            source.close()
