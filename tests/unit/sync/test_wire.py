from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.sync import wire
from provision.sync.manifest import LINK
from provision.sync.wire import LIMITS, Messages, WireError, block, read_json
from tests.unit.sync.trees import paths, records

KINDS = [b"A", b"M", b"S", b"P", b"R", b"E"]
messages = st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=100)), max_size=8)


@given(messages, st.lists(st.integers(1, 40)))
def test_messages_come_whole_whatever_pieces_they_came_in(sent: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(block(kind, payload) for kind, payload in sent)
    reader, got = Messages(), []
    for cut in [*cuts, len(stream)]:
        piece, stream = stream[:cut], stream[cut:]
        reader.feed(piece)
        while (message := reader.next()) is not None:
            got.append(message)
    assert got == sent
    assert reader.waiting == 0


@pytest.mark.parametrize("head", [struct.pack(">cI", b"A", 1 << 31), struct.pack(">cI", b"X", 0), b"Last login: Mon\n"])
def test_what_is_no_message_is_refused_before_it_has_come(head: bytes) -> None:
    reader = Messages()
    reader.feed(head)
    with pytest.raises(WireError, match="a message of type"):
        reader.next()


digests = st.binary(min_size=32, max_size=32)


@given(paths, paths, st.binary(max_size=50), digests, st.integers(0, 1 << 40))
def test_records_say_what_they_were_given(path: bytes, other: bytes, content: bytes, digest: bytes, size: int) -> None:
    stream = (
        wire.file_head(1, path, len(content))
        + content
        + wire.link_record(path, other)
        + wire.copy_record(2, path, other, size, digest)
        + wire.staged_record(1, path)
        + wire.mode_record(2, path)
        + wire.remove_record(path)
        + wire.big_head(1, path, size, digest, size)
        + wire.end_record(digest)
    )
    long = size.to_bytes(8, "big")
    assert list(records(stream)) == [
        (b"F", b"\1", path, content),
        (b"L", path, other),
        (b"K", b"\2", path, other, long, digest),
        (b"U", b"\1", path),
        (b"M", b"\2", path),
        (b"D", path),
        (b"B", b"\1", path, long, digest, long, b""),
        (b"Z", digest),
    ]


def test_a_link_has_no_mode_to_change() -> None:
    with pytest.raises(ValueError, match="no mode"):
        wire.mode_record(LINK, b"a")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"1",
        b"\xff",
        b'{"a": NaN}',
        b"{" * 100_000,
        b"[" * 100_000,
        json.dumps({"a": [[[[[[[[[[]]]]]]]]]]}).encode(),
    ],
)
def test_json_that_is_none_or_too_deep_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        wire.read_json(payload)


def test_the_request_is_one_line_of_ascii_whatever_the_root_is_called() -> None:
    text = wire.request({"root": "/home/\udcff/é\n"})
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text) == {"protocol": 1, "root": "/home/\udcff/é\n"}


def test_a_message_of_more_values_than_a_tree_has_is_not_built() -> None:
    with pytest.raises(WireError, match="more values"):
        read_json(b'{"kept":[' + b"[]," * 300_000 + b"[]]}")


def test_fifty_thousand_changed_paths_are_an_answer() -> None:
    changed = {f"src/ä/{number:0100}": "content" for number in range(50_000)}
    payload = json.dumps({"changed": changed}).encode()
    assert len(payload) < LIMITS[b"A"]
    assert read_json(payload)["changed"] == changed
