"""A host that does not speak as it should: it gets an error to read, and never a crash or an endless wait."""

from __future__ import annotations

import json
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.engine import exchange, sync
from provision.engine.past import Past
from provision.engine.stop import Stop
from provision.engine.sync import SyncGoal, sync_once
from provision.errors import LinkLostError, ProvisionError, StepFailedError, UnreachableError
from provision.model.sync import Origin, SyncPlan
from provision.sync.manifest import EMPTY, FILE, Entry, Manifest
from provision.sync.wire import block
from provision.tree.archive import TreeSource
from provision.tree.listing import scan_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.model.plan import Outcome, Program

pytestmark = pytest.mark.timeout(60)

OTHER = Manifest.of({b"a": Entry(FILE, 1, b"x" * 32)})
ANSWER: dict[str, Any] = {
    "protocol": 1,
    "tree": "/home/me/work/p",
    "id": "",
    "owner": None,
    "codecs": ["gzip"],
    "free_bytes": 1 << 40,
    "free_files": 1 << 20,
    "changed": {},
    "partial": {},
    "staged": 0,
    "top": [],
    "rolled_forward": False,
}


class Liar:
    """A link to a host that says what it was told to, and listens to nothing."""

    def __init__(self, *said: bytes, endless: bool = False) -> None:
        self.notes: list[str] = []
        self.begun = True
        self._said = said
        self._left: list[bytes] = []
        self._endless = endless

    def converse(self, program: Program) -> Liar:
        assert json.loads(program.arguments[0])["protocol"] == 1
        self._left = list(self._said)
        return self

    def receive(self, seconds: float) -> bytes:
        del seconds
        if self._left:
            return self._left.pop(0)
        if self._endless:
            return self._said[-1]
        raise LinkLostError("the stream ended")

    def send(self, data: bytes) -> None:
        pass

    def finish(self) -> None:
        pass

    def close(self) -> None:
        pass

    def reconnect(self) -> None:
        pass


@pytest.fixture(scope="module", autouse=True)
def _without_pauses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sync, "SHORTEST_PAUSE", 0.0)
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "a").write_text("a")
    return folder


def synced(project: Path, host: Any, **how: Any) -> Outcome:
    source = TreeSource(lambda: scan_tree(project))
    origin = Origin("c" * 32, str(project), "me@here", "p")
    goal = SyncGoal("~/work", "~/.provision", "p", origin, lambda _: None, **how)
    try:
        return sync_once(host, goal, source, lambda _: None, Stop())
    finally:
        source.close()


def answer(**changes: object) -> bytes:
    return block(b"A", json.dumps({**ANSWER, **changes}).encode())


def said(kind: bytes, /, **value: object) -> bytes:
    return block(kind, json.dumps(value).encode())


PLACED = {"id": "b" * 64, "kept": [], "placed": 1, "removed": 0, "adopted": 0, "resumed": 0}


@pytest.mark.parametrize(
    "words",
    [
        (b"Welcome to Ubuntu\n",),
        (struct.pack(">cI", b"A", (64 << 20) + 1),),
        (block(b"A", b"{}"),),
        (block(b"M", OTHER.blob),),
        (answer(id="a" * 64), block(b"M", OTHER.blob)),
        (answer(id="a" * 64), block(b"M", b"junk")),
        (answer(id=OTHER.id, changed={"b": "content"}), block(b"M", OTHER.blob)),
        (answer(id=OTHER.id), block(b"S", EMPTY.blob)),
        (answer(staged=1), block(b"S", b"PVM1")),
        (answer(), said(b"R", **PLACED)),
        (answer(), said(b"R", id=7)),
        (answer(), answer()),
        (answer(), block(b"P", b"[]")),
    ],
)
def test_words_that_make_no_sense_are_told_as_that(project: Path, words: tuple[bytes, ...]) -> None:
    with pytest.raises(StepFailedError, match="the host's answer is not what it should be"):
        synced(project, Liar(*words))


@pytest.mark.parametrize("kind", ["io", "space", "conflict", "refused", "owner", "protocol", "python", "x\x1b[0m"])
def test_a_refusal_is_told_in_the_hosts_words_without_what_moves_a_cursor(project: Path, kind: str) -> None:
    with pytest.raises(StepFailedError, match="no disk") as told:
        synced(project, Liar(said(b"E", kind=kind, message="no disk\x1b[2J\n", hint="")))
    assert told.value.message == "no disk\\x1b[2J\\n"
    assert told.value.hint
    assert told.value.exit_code == 4


def test_files_that_change_under_it_twice_are_told(project: Path) -> None:
    with pytest.raises(StepFailedError, match="files change while they are sent"):
        synced(project, Liar(answer(), said(b"E", kind="changed", message="a", hint="")))


def test_a_host_that_ends_each_time_is_given_up(project: Path) -> None:
    with pytest.raises(UnreachableError, match="lost 6 times in a row"):
        synced(project, Liar())


@pytest.mark.parametrize("number", [0, 1])
def test_words_of_progress_alone_do_not_hold_it_for_ever(
    project: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(exchange, "WORDS_ALONE", 0.5)
    host = Liar(*(said(b"P", phase="placing", files=one, bytes=one * number) for one in range(100_000)), endless=True)
    with pytest.raises(StepFailedError, match="got no further"):
        synced(project, host)


def test_words_that_go_to_and_fro_are_no_sign_of_life(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "SILENCE", 0.5)

    class Swaying(Liar):
        def receive(self, seconds: float) -> bytes:
            time.sleep(min(seconds, 0.01))
            self.turn = not getattr(self, "turn", False)
            return said(b"P", phase="placing" if self.turn else "receiving", files=int(self.turn), bytes=0)

    with pytest.raises(StepFailedError, match="got no further"):
        synced(project, Swaying())


def past(**how: Any) -> Past:
    return Past(plan=SyncPlan("/t", 100, tuple(map(str, range(100))), (), 1000), **how)


def test_what_a_host_says_it_has_is_progress_where_something_was_sent() -> None:
    told = past(losses=3, losses_in_all=9)
    told.judge(0, 0)
    told.judge(50, 500)
    assert (told.losses, told.losses_in_all) == (3, 9)
    told.wire_bytes += 100
    told.judge(51, 0)
    assert (told.losses, told.losses_in_all) == (0, 0)


def test_little_progress_spares_the_losses_in_a_row_and_not_those_in_all() -> None:
    told = past(losses=3, losses_in_all=9, wire_bytes=1)
    told.judge(0, 0)
    told.losses, told.losses_in_all, told.wire_bytes = 3, 9, 2
    told.judge(0, 9)
    assert (told.losses, told.losses_in_all) == (0, 9)


def test_no_host_has_more_than_was_to_come() -> None:
    told = past(wire_bytes=1)
    told.judge(0, 0)
    for number in range(1, 4):
        told.losses, told.wire_bytes = 3, number + 1
        told.judge(10_000 * number, 10_000 * number)
        assert told.losses == (0 if number == 1 else 3)


@pytest.mark.parametrize("last", [said(b"P", phase="checking", files=1, bytes=1), b"", struct.pack(">cI", b"A", 1000)])
def test_a_host_that_never_gets_anywhere_is_not_waited_for_for_ever(
    project: Path, monkeypatch: pytest.MonkeyPatch, last: bytes
) -> None:
    monkeypatch.setattr(exchange, "SILENCE", 0.5)
    with pytest.raises(StepFailedError, match=r"got no further|not what it should be"):
        synced(project, Liar(last, endless=True))


def test_a_disk_without_room_is_judged_before_anything_is_sent(project: Path) -> None:
    with pytest.raises(StepFailedError, match=r"4\.1 kB would come to /home/me/work/p, and 9 B are free there"):
        synced(project, Liar(answer(free_bytes=9)))
    with pytest.raises(StepFailedError, match="its file system takes 1 more"):
        synced(project, Liar(answer(free_files=1)))


junk = st.one_of(
    st.binary(max_size=40),
    st.builds(block, st.sampled_from([b"A", b"M", b"S", b"P", b"R", b"E"]), st.binary(max_size=60)),
    st.builds(
        lambda name, value: answer(**{name: value}),
        st.sampled_from(sorted(ANSWER)),
        st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text(max_size=3)), st.just(OTHER.id)),
    ),
    st.just(block(b"M", OTHER.blob)),
    st.just(said(b"R", **PLACED)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(junk, max_size=4))
def test_nothing_that_a_host_can_say_is_a_crash(project: Path, words: list[bytes]) -> None:
    with pytest.raises(ProvisionError) as told:
        synced(project, Liar(*words))
    assert told.value.exit_code in {3, 4, 6}
