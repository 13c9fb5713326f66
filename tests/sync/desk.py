"""A project here and its tree on a laboratory's host, with an engine whose every part can be got at."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from provision.engine.stop import Stop
from provision.engine.sync import SyncGoal, sync_once
from provision.events import Synced, SyncPlanned
from provision.model.sync import Origin, SyncPlan, SyncResult
from provision.tree.archive import TreeSource
from provision.tree.listing import scan_tree
from provision.tree.state import TreeState
from tests.sync.trees import lying

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.events import Event
    from provision.model.link import Conversation, Link
    from provision.model.plan import Outcome, Program
    from provision.tree.listing import Scan
    from tests.lab.host import LabHost

T = TypeVar("T")


class Memory:
    """What hosts had last."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load(self, key: str, /) -> bytes | None:
        return self.kept.get(key)

    def keep(self, key: str, blob: bytes, /) -> None:
        self.kept[key] = blob


@dataclass
class Work:
    """One developer at one project."""

    project: Path
    host: LabHost
    memory: Memory = field(default_factory=Memory)
    events: list[Event] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    client: str = "c" * 32
    approve: Callable[[SyncPlan], None] = lambda _: None
    on_event: Callable[[Event], None] = lambda _: None

    def write(self, path: str, content: bytes | str) -> None:
        place = self.project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())

    def goal(self, **how: Any) -> SyncGoal:
        origin = Origin(self.client, str(self.project), "dev@laptop", self.project.name)
        usual = {"workdir": "~/work", "base_key": "host", "bases": self.memory}
        return SyncGoal(
            state_dir="~/.provision", project=self.project.name, origin=origin, approve=self.approve, **{**usual, **how}
        )

    def source(self, *, first: bool = False) -> TreeSource:
        return TreeSource(self.scan, expect_first=first)

    def scan(self) -> Scan:
        return scan_tree(self.project, state=TreeState(self.project.parent / "state"))

    def sync(self, link: Link, *, first: bool = False, source: TreeSource | None = None, **how: Any) -> Outcome:
        self.events.clear()
        tree = source or self.source(first=first)

        def emit(event: Event) -> None:
            self.events.append(event)
            self.on_event(event)

        try:
            return sync_once(link, self.goal(**how), tree, emit, self.stop)
        finally:
            if source is None:
                tree.close()

    def said(self, kind: type[T]) -> list[T]:
        return [one for one in self.events if isinstance(one, kind)]

    @property
    def plan(self) -> SyncPlan:
        return self.said(SyncPlanned)[0].plan

    @property
    def result(self) -> SyncResult:
        return self.said(Synced)[0].result

    @property
    def there(self) -> bytes:
        return os.fsencode(f"{self.host.root}{self.host.home}/work/{self.project.name}")

    def is_there(self) -> bool:
        """Whether the host's tree is the project's."""
        return lying(self.there) == lying(os.fsencode(self.project))


class Tapped:
    """A link whose conversations tell how much was sent in them before they send more."""

    def __init__(self, link: Link, on_send: Callable[[int], None]) -> None:
        self._link = link
        self._on_send = on_send

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def converse(self, program: Program) -> Any:
        return _TappedConversation(self._link.converse(program), self._on_send)


class _TappedConversation:
    def __init__(self, conversation: Conversation, on_send: Callable[[int], None]) -> None:
        self._conversation = conversation
        self._on_send = on_send
        self._sent = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conversation, name)

    def send(self, data: bytes) -> None:
        self._on_send(self._sent)
        self._conversation.send(data)
        self._sent += len(data)


def in_background(work: Callable[[], object]) -> threading.Thread:
    """Do something meanwhile."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
