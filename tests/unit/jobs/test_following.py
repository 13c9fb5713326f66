"""Following a job over links that break: each byte comes once, whenever it was printed."""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from provision.engine import follow
from provision.engine.follow import Follower, Heard
from provision.engine.job_talk import Talk
from provision.engine.stop import Stop
from provision.errors import AuthenticationError, InterruptedRunError, LinkLostError, StepFailedError, UnreachableError

if TYPE_CHECKING:
    from provision.model.job import JobState
    from provision.model.link import Link
    from provision.model.plan import Program

RUNNING: dict[str, Any] = {"state": "running", "started": 1.0}
EXITED: dict[str, Any] = {"state": "exited", "exit_code": 3, "started": 1.0, "ended": 2.0}
CUT = b""
"""Where a script of a conversation has this, the link breaks."""


def said(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">cI", kind, len(payload)) + payload


def state(size: int, kind: bytes = b"S", **more: Any) -> bytes:
    return said(kind, json.dumps({"state": {**RUNNING, **more}, "size": size}).encode())


def ended(size: int) -> bytes:
    return said(b"X", json.dumps({"state": EXITED, "size": size}).encode())


def piece(offset: int, data: bytes, stream: int = 0) -> bytes:
    return said(b"O", struct.pack(">QB", offset, stream) + data)


@dataclass
class Scripted:
    """A host that says what a test has written down, one conversation after the other."""

    conversations: deque[list[bytes]]
    asked: list[dict[str, Any]] = field(default_factory=list)
    unreachable: list[UnreachableError] = field(default_factory=list)
    reconnections: int = 0
    notes: list[str] = field(default_factory=list)

    def converse(self, program: Program) -> Scripted:
        assert program.data is not None
        self.asked.append(json.loads(zlib.decompress(program.data[4:])))
        self.said = deque(self.conversations.popleft())
        return self

    def receive(self, seconds: float) -> bytes:
        del seconds
        if not self.said:
            return b""
        data = self.said.popleft()
        if data == CUT:
            raise LinkLostError("cut")
        return data

    def reconnect(self) -> None:
        self.reconnections += 1
        if self.unreachable:
            raise self.unreachable.pop(0)

    def close(self) -> None:
        pass


@dataclass
class Followed:
    """A follower of a scripted host, and what it told."""

    link: Scripted
    stop: Stop = field(default_factory=Stop)
    came: list[tuple[int, bytes]] = field(default_factory=list)
    states: list[JobState] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)

    def run(self, **asked: Any) -> JobState:
        heard = Heard(lambda stream, data: self.came.append((stream, data)), self.states.append, self.losses.append)
        follower = Follower(cast("Link", self.link), "~/.provision", "abcdef", (), self.stop, heard)
        return follower.run(**asked)

    @property
    def text(self) -> bytes:
        return b"".join(data for _, data in self.came)


def following(*conversations: list[bytes]) -> Followed:
    return Followed(Scripted(deque(conversations)))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "SHORTEST_PAUSE", 0.001)
    monkeypatch.setattr(follow, "LONGEST_PAUSE", 0.002)


def where(asked: dict[str, Any]) -> tuple[object, object, object]:
    return asked["offset"], asked["tail"], asked["since"]


def test_a_lost_link_is_taken_up_at_the_byte_where_it_broke() -> None:
    cut = piece(3, b"def")
    one = following(
        [state(0), piece(0, b"abc"), cut[:-1], CUT],
        [state(6), piece(3, b"def", 1), CUT],
        [state(6), ended(6)],
    )
    assert one.run().exit_code == 3
    assert one.came == [(0, b"abc"), (1, b"def")]
    assert [asked["offset"] for asked in one.link.asked] == [0, 3, 6]
    assert one.losses == ["cut", "cut"]


def test_each_state_is_told_once() -> None:
    one = following([state(0), CUT], [state(0), state(0, gpus=["GPU-1"]), ended(0)])
    one.run()
    assert [(told.state, told.gpus) for told in one.states] == [
        ("running", ()),
        ("running", ("GPU-1",)),
        ("exited", ()),
    ]


@pytest.mark.parametrize("asked", [{"tail": 10}, {"tail": 0}, {"since": 600.0}])
def test_what_an_empty_log_gets_while_the_link_is_gone_comes_whole(asked: dict[str, Any]) -> None:
    one = following([state(0), CUT], [state(9), piece(0, b"while off"), ended(9)])
    one.run(**asked)
    assert where(one.link.asked[1]) == (0, None, None)
    assert one.text == b"while off"


def test_without_last_lines_what_comes_later_is_wanted_from_where_the_log_ended() -> None:
    one = following([state(500), CUT], [state(509), piece(500, b"while off"), ended(509)])
    one.run(tail=0)
    assert where(one.link.asked[1]) == (500, None, None)


def test_a_time_ago_is_longer_ago_once_the_laptop_has_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(follow, "time", _Clock(now))
    one = following([state(500), CUT], [state(500), ended(500)])
    one.link.reconnect = lambda: now.__setitem__(0, now[0] + 8 * 3600)  # type: ignore[method-assign]
    one.run(since=600.0)
    assert [asked["since"] for asked in one.link.asked] == [600.0, 600.0 + 8 * 3600]


class _Clock:
    def __init__(self, now: list[float]) -> None:
        self._now = now

    def time(self) -> float:
        return self._now[0]

    @staticmethod
    def monotonic() -> float:
        return time.monotonic()


def test_last_lines_are_asked_for_again_where_none_of_them_came() -> None:
    one = following([state(500), CUT], [state(500), piece(490, b"last lines"), ended(500)])
    one.run(tail=3)
    assert where(one.link.asked[1]) == (None, 3, None)


def test_a_host_that_tells_a_byte_twice_is_not_believed() -> None:
    one = following([state(0), piece(0, b"abc"), piece(2, b"c")])
    with pytest.raises(StepFailedError, match="had come already"):
        one.run()
    assert one.text == b"abc"


def test_a_network_that_is_gone_for_long_is_waited_for_while_following() -> None:
    one = following([state(0), piece(0, b"a"), CUT], [state(1), ended(1)])
    one.link.unreachable = [UnreachableError("no route") for _ in range(40)]
    assert one.run().exit_code == 3
    assert one.link.reconnections == 41


def test_nobody_waits_for_hours_for_what_is_there_already() -> None:
    one = following([state(9), CUT])
    one.link.unreachable = [UnreachableError("no route")]
    with pytest.raises(UnreachableError, match="did not come back"):
        one.run(follow=False)


def test_a_program_that_breaks_off_each_time_is_given_up_where_nothing_is_followed() -> None:
    one = following(*([state(9), CUT] for _ in range(9)))
    with pytest.raises(UnreachableError):
        one.run(follow=False)
    assert len(one.link.asked) == follow.MOST_LOSSES


def test_a_login_that_is_refused_is_not_tried_for_hours() -> None:
    refused = AuthenticationError("who are you")
    one = following([state(9), CUT])
    one.link.unreachable = [refused]
    with pytest.raises(UnreachableError, match="who are you"):
        one.run()
    assert one.link.reconnections == 1


def test_the_user_s_stop_ends_it_also_while_nothing_is_said() -> None:
    one = following([state(0)])
    one.stop.ask()
    with pytest.raises(InterruptedRunError):
        one.run()


def test_an_error_that_the_host_tells_ends_it_with_its_words() -> None:
    error = {"kind": "unknown", "message": "there is no job abcdef on this host", "hint": None}
    one = following([said(b"E", json.dumps(error).encode())])
    with pytest.raises(StepFailedError, match="there is no job abcdef"):
        one.run()


def test_a_program_that_says_nothing_is_given_up() -> None:
    link = cast("Link", Scripted(deque([[]])))
    with (
        Talk(link, "tell_jobs.py", "~/.provision", {}, (), Stop()) as talk,
        pytest.raises(StepFailedError, match="said nothing"),
    ):
        talk.answer(silence=1.0)
