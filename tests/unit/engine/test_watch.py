"""The loop behind `sync --watch`, with a scripted project and host."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from provision.engine.stop import Stop
from provision.engine.watch import Changes, KeptLink, Watcher
from provision.errors import LinkLostError, ProvisionError, StepFailedError, UnreachableError, UsageError
from provision.events import HostStarted, LinkLost, Note
from provision.model.plan import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.events import Event
    from provision.model.link import Link


@dataclass(frozen=True)
class Tree:
    id: str


class FakeLink:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def reconnect(self) -> None:
        self.notes.append("again")


class Scene:
    """A project whose state is `now`, and a host that fails as `trouble` says."""

    def __init__(self) -> None:
        self.now = "a"
        self.synced: list[str] = []
        self.trouble: list[ProvisionError] = []
        self.events: list[Event] = []
        self.links: list[FakeLink] = []
        self.changes = Changes()
        self.stop = Stop()
        self.ended: list[Outcome | ProvisionError] = []

    def connect(self) -> Link:
        self.links.append(FakeLink())
        return cast("Link", self.links[-1])

    def sync(self, tree: Tree, link: Link) -> tuple[Outcome, str]:
        assert isinstance(link, KeptLink)
        if self.trouble:
            raise self.trouble.pop(0)
        self.synced.append(tree.id)
        return Outcome.CHANGED, tree.id

    def change(self, now: str) -> None:
        self.now = now
        self.changes.note()

    def start(self) -> threading.Thread:
        watcher: Watcher[Tree] = Watcher(
            "box (a@b:22)",
            lambda _: Tree(self.now),
            self.sync,
            self.connect,
            changes=self.changes,
            emit=self.events.append,
        )

        def run() -> None:
            try:
                self.ended.append(watcher.run(self.stop))
            except ProvisionError as error:
                self.ended.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def until(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end(self, thread: threading.Thread) -> Outcome | ProvisionError:
        self.stop.ask()
        thread.join(30)
        return self.ended[0]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_change_is_sent_over_the_same_connection(scene: Scene) -> None:
    thread = scene.start()
    scene.until(lambda: scene.synced == ["a"])
    scene.change("b")
    scene.until(lambda: scene.synced == ["a", "b"])
    assert scene.end(thread) is Outcome.CHANGED
    assert len(scene.links) == 1
    assert scene.links[0].closed


def test_an_event_that_leaves_the_tree_as_it_is_sends_nothing(scene: Scene) -> None:
    thread = scene.start()
    scene.until(lambda: scene.synced == ["a"])
    scene.change("a")
    scene.change("b")
    scene.until(lambda: "b" in scene.synced)
    scene.end(thread)
    assert scene.synced == ["a", "b"]
    assert sum(isinstance(one, HostStarted) for one in scene.events) == 1


def test_a_host_that_is_away_is_tried_again_without_a_further_change(scene: Scene) -> None:
    thread = scene.start()
    scene.until(lambda: scene.synced == ["a"])
    scene.trouble = [LinkLostError("gone"), UnreachableError("no answer")]
    scene.change("b")
    scene.until(lambda: scene.synced == ["a", "b"])
    assert scene.end(thread) is Outcome.CHANGED
    assert len(scene.links) == 3
    assert any(isinstance(one, LinkLost) for one in scene.events)


def test_what_stands_in_the_way_is_told_once_and_the_next_change_is_tried(scene: Scene) -> None:
    thread = scene.start()
    scene.until(lambda: scene.synced == ["a"])
    scene.trouble = [StepFailedError("a folder is in the way"), StepFailedError("a folder is in the way")]
    scene.change("b")
    scene.until(lambda: len(scene.trouble) == 1)
    scene.change("c")
    scene.until(lambda: not scene.trouble)
    scene.change("d")
    scene.until(lambda: scene.synced == ["a", "d"])
    assert scene.end(thread) is Outcome.CHANGED
    said = ["watching for changes; Ctrl-C ends it", "not synced: a folder is in the way"]
    assert [one.text for one in scene.events if isinstance(one, Note)] == said
    assert len(scene.links) == 1


def test_the_first_sync_must_succeed(scene: Scene) -> None:
    scene.trouble = [UnreachableError("no answer")]
    thread = scene.start()
    thread.join(30)
    assert isinstance(scene.ended[0], UnreachableError)


def test_ended_while_the_host_lacks_the_present_tree_it_says_why(scene: Scene) -> None:
    thread = scene.start()
    scene.until(lambda: scene.synced == ["a"])
    scene.trouble = [StepFailedError("no room")]
    scene.change("b")
    scene.until(lambda: any(isinstance(one, Note) and "no room" in one.text for one in scene.events))
    ended = scene.end(thread)
    assert isinstance(ended, StepFailedError)


def test_only_the_first_sync_makes_its_own_connection_anew() -> None:
    link = FakeLink()
    kept = KeptLink(cast("Link", link), fresh=True)
    kept.reconnect()
    kept.fresh = False
    with pytest.raises(LinkLostError):
        kept.reconnect()
    kept.close()
    assert not link.closed


def test_a_question_without_a_yes_is_told_with_its_paths_and_that_it_is_settled_too(scene: Scene) -> None:
    thread = scene.start()
    scene.until(lambda: scene.synced == ["a"])
    scene.trouble.append(
        UsageError("nothing was sent", hint="provision sync --watch --yes", detail="a secret:\n  .env")
    )
    scene.change("b")
    scene.until(
        lambda: (
            Note("not synced: nothing was sent -> provision sync --watch --yes", ("a secret:", "  .env"))
            in scene.events
        )
    )
    scene.change("a")
    scene.until(lambda: Note("the host has what is here again") in scene.events)
    assert scene.end(thread) is Outcome.CHANGED
    assert scene.synced == ["a"]
