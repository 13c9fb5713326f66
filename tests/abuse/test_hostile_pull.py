"""A host that lies about its files: one clear error, and nothing outside of the folder that was asked for."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from provision.errors import StepFailedError
from provision.sync.pulling import PIECE, BadMessageError, Listing, Messages, leads_out, piece
from tests.pull.near import Desk, NearLink, entry, listing, message

if TYPE_CHECKING:
    from pathlib import Path

FOLDER, LINK, OTHER = 4, 3, 5


def told(tmp_path: Path, said: bytes, asked: str = "d") -> str:
    desk = Desk(tmp_path)
    with pytest.raises(StepFailedError) as error:
        desk.pull(asked, link=NearLink(desk.there, made=said))
    assert not [one for one in desk.here.rglob("*") if one.is_file() or one.is_symlink()]
    assert {one.name for one in tmp_path.iterdir()} <= {"here", "there", "state"}
    assert "\x1b" not in error.value.message
    return error.value.message


def content(number: int, data: bytes, offset: int = 0) -> bytes:
    return message(b"D", struct.pack(">IQB", number, offset, 0) + data)


def end(number: int, data: bytes) -> bytes:
    return message(b"F", struct.pack(">IBQ32s", number, 0, len(data), hashlib.sha256(data).digest()))


@pytest.mark.parametrize(
    "entries",
    [
        [entry(b"../evil")],
        [entry(b"/etc/evil")],
        [entry(b"")],
        [entry(b"d", FOLDER), entry(b"d/..", FOLDER)],
        [entry(b"d", FOLDER), entry(b"d/./x")],
        [entry(b"d", FOLDER), entry(b"d/a\0b")],
        [entry(b"d", FOLDER), entry(b"d/" + b"n" * 256)],
        [entry(b"d", FOLDER), entry(b"d/x"), entry(b"d/x")],
        [entry(b"d", FOLDER), entry(b"d/l", LINK, target=b"x"), entry(b"d/l/x")],
        [entry(b"d", FOLDER), entry(b"d/f"), entry(b"d/f/x")],
        [entry(b"d", FOLDER), entry(b"d/f", size=1 << 63)],
        [entry(b"d", FOLDER), entry(b"d/f", 77)],
        [entry(b"other")],
        [entry(b".bashrc")],
        [entry(b"d", FOLDER), entry(b"d/l", LINK)],
    ],
)
def test_a_listing_of_what_cannot_be_is_refused_whole(tmp_path: Path, entries: list[bytes]) -> None:
    assert "what cannot be" in told(tmp_path, listing(*entries))


@pytest.mark.parametrize(
    "target", [b"/etc/passwd", b"../../x", b"..", b"a/../../..", b"x/..", b"../..", b"./../../here2"]
)
def test_a_link_that_leads_out_is_left_out_and_never_made(tmp_path: Path, target: bytes) -> None:
    desk = Desk(tmp_path)
    said = listing(entry(b"l", LINK, target=target))
    done = desk.pull("l", link=NearLink(desk.there, made=said))
    assert list(done.left_out) == [b"l"]
    assert list(desk.here.iterdir()) == []


@given(st.lists(st.sampled_from([b"..", b"a", b"."]), min_size=1, max_size=6), st.integers(0, 3))
def test_no_target_that_is_let_through_leads_above_the_floor(names: list[bytes], depth: int) -> None:
    if leads_out(b"/".join([b"d"] * depth + [b"l"]), b"/".join(names), 0):
        return
    at = depth
    for name in names:
        at += {b"..": -1, b"a": 1, b".": 0}[name]
        assert at >= 0


@pytest.mark.parametrize(
    "said",
    [
        content(0, b"12345"),
        content(0, b"12") + content(0, b"12"),
        content(0, b"12", offset=2),
        content(1, b"1234"),
        content(0, b"1234") + end(1, b"1234"),
        content(0, b"1234") + end(0, b"1234") + end(0, b"1234") + end(0, b"1234"),
        content(0, b"1234") + message(b"U", struct.pack(">IQq", 0, 9, 9)),
        message(b"U", struct.pack(">IQq", 0, 1 << 63, 9)),
        message(b"N", entry(b"x")),
        message(b"E", b"[" * 8000),
        b"Q\0\0\0\0",
        b"D\xff\xff\xff\xff",
    ],
    ids=range(12),
)
def test_content_that_was_not_due_is_refused(tmp_path: Path, said: bytes) -> None:
    more = [entry(b"d", size=4)]
    if said.count(b"F\0\0\0") > 1:
        # The second file is what is still waited for when the first one's end comes again.
        more = [entry(b"d", FOLDER), entry(b"d/a", size=4), entry(b"d/b", size=4)]
    told(tmp_path, listing(*more) + said)


def test_a_wrong_hash_is_asked_for_once_more_and_then_given_up(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    wrong = content(0, b"1234") + end(0, b"4321")
    done = desk.pull("d", link=NearLink(desk.there, made=listing(entry(b"d", size=4)) + wrong * 2))
    assert "did not arrive" in done.refused[b"d"]
    assert list(desk.here.iterdir()) == []


def test_an_error_text_of_a_host_has_an_end(tmp_path: Path) -> None:
    said = message(b"E", b'{"kind": [], "message": "%s"}' % (b"x" * 8000))
    assert len(told(tmp_path, said)) <= 500


def test_pieces_are_never_larger_than_a_piece_may_be() -> None:
    head = struct.pack(">IQB", 0, 0, 1)
    with pytest.raises(BadMessageError):
        piece(head + zstandard.ZstdCompressor().compress(bytes(PIECE + 1)))
    import zlib

    with pytest.raises(BadMessageError):
        piece(struct.pack(">IQB", 0, 0, 2) + zlib.compress(bytes(50 << 20)))


def test_a_listing_has_an_end() -> None:
    small = Listing(b"*", most=10)
    with pytest.raises(BadMessageError, match="10 entries"):
        small.add(b"".join(entry(b"%d" % number) for number in range(11)))
    with pytest.raises(BadMessageError, match="100 B"):
        Listing(b"*", most_bytes=100).add(bytes(101))


@given(st.binary(max_size=400))
def test_no_bytes_of_a_host_are_more_than_a_bad_message(said: bytes) -> None:
    found = Listing(b"*")
    try:
        found.add(said)
        for _, payload in Messages().feed(said):
            piece(payload)
    except BadMessageError:
        return
    assert all(b".." not in one.parts for one in found.entries)
