"""What hosts say of jobs: the known is taken, the unknown passed over, the impossible refused."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.jobs.answers import job_of, record_of, state_of
from provision.jobs.listing import listed_of
from provision.jobs.messages import JobMessageError, JobMessages, object_of, piece_of
from provision.jobs.requests import request

RECORD: dict[str, Any] = {
    "format": 1,
    "id": "abcdef",
    "name": None,
    "project": "mymodel",
    "command": ["python", "train.py"],
    "cwd": "",
    "tree": "/home/ubuntu/work/mymodel",
    "snapshot": None,
    "environment": {"name": "mymodel", "generation": "1-aa", "prefix": "/p", "digest": None, "more": 1},
    "gpus": 2,
    "way": "session",
    "submitted": 5.5,
}
STATE: dict[str, Any] = {"state": "queued", "gpus": ["GPU-1"], "waiting": {"ahead": 1, "text": "2 GPUs"}}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_a_job_is_taken_with_what_is_not_known_passed_over() -> None:
    job = job_of({"job": {**RECORD, "later": 1}, "state": {**STATE, "later": 1}, "log_bytes": 7, "later": 1})
    assert job.record.command == ("python", "train.py")
    assert job.record.environment is not None
    assert job.record.environment.generation == "1-aa"
    assert job.state.waiting is not None
    assert (job.state.waiting.ahead, job.state.gpus, job.log_bytes) == (1, ("GPU-1",), 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [("format", 2), ("id", "../etc"), ("id", 3), ("command", "text"), ("command", [1]), ("tree", None), ("way", 1)],
)
def test_a_record_that_is_none_is_refused(name: str, value: object) -> None:
    with pytest.raises(JobMessageError):
        record_of({**RECORD, name: value})


@given(st.dictionaries(st.sampled_from([*RECORD, *STATE, "exit_code", "started", "ended", "signal"]), anything))
def test_whatever_a_host_says_it_is_a_value_or_refused(said: dict[str, Any]) -> None:
    for judge in (record_of, state_of, job_of, listed_of):
        try:
            judge({**RECORD, **STATE, **said})
        except JobMessageError:
            continue


@pytest.mark.parametrize("code", [-1, 256, True, "0", 1.5])
def test_an_exit_code_that_is_none_is_not_taken(code: object) -> None:
    assert state_of({"state": "exited", "exit_code": code}).exit_code is None


def test_one_damaged_job_leaves_the_others_in_the_list() -> None:
    good = {"job": RECORD, "state": STATE}
    bad = {"job": {**RECORD, "id": "bcdefg", "format": 9}, "state": STATE}
    listed = listed_of({"now": 1, "jobs": [good, bad, {"id": "cdefgh", "damaged": "no record"}], "old": 2})
    assert [one.record.id for one in listed.jobs] == ["abcdef"]
    assert [one for one, _ in listed.damaged] == ["bcdefg", "cdefgh"]
    assert listed.old == 2


def test_a_request_is_its_length_and_compressed_json_that_may_stand_for_any_bytes() -> None:
    data = request({"command": ["\udcff\udc80", "é"]})
    assert struct.unpack(">I", data[:4])[0] == len(data) - 4
    assert json.loads(zlib.decompress(data[4:])) == {"command": ["\udcff\udc80", "é"]}


@given(st.lists(st.tuples(st.sampled_from([b"O", b"S", b"X"]), st.binary(max_size=300))), st.integers(1, 50))
def test_messages_come_out_as_they_went_in_however_they_are_cut(sent: list[tuple[bytes, bytes]], size: int) -> None:
    data = b"".join(struct.pack(">cI", kind, len(payload)) + payload for kind, payload in sent)
    messages, got = JobMessages(), []
    for at in range(0, len(data), size):
        messages.feed(data[at : at + size])
        while (message := messages.next()) is not None:
            got.append(message)
    assert got == sent


def test_a_message_that_is_too_long_or_of_no_kind_is_refused_before_it_is_gathered() -> None:
    for head in (struct.pack(">cI", b"E", 1 << 30), struct.pack(">cI", b"?", 1)):
        messages = JobMessages()
        messages.feed(head)
        with pytest.raises(JobMessageError):
            messages.next()


@pytest.mark.parametrize("payload", [b"", b"12345678", struct.pack(">QB", 0, 3), struct.pack(">QB", 1 << 63, 0)])
def test_a_piece_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(JobMessageError):
        piece_of(payload)


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(JobMessageError):
        object_of(payload)
