"""Escapes at the beginning of a line, over however many pieces they come."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.cli.escapes import Escapes


def read(*pieces: bytes) -> tuple[bytes, bool, int]:
    """Return what reaches the host, whether the person left, and how often the list was asked for."""
    escapes, out, asked = Escapes(), b"", 0
    for piece in pieces:
        typed = escapes.read(piece)
        out += typed.data
        asked += typed.asks
        if typed.leave:
            return out, True, asked
    return out, False, asked


@pytest.mark.parametrize(
    ("pieces", "result"),
    [
        ((b"~.",), (b"", True, 0)),
        ((b"~", b"."), (b"", True, 0)),
        ((b"ls\r~.rm -rf /\r",), (b"ls\r", True, 0)),
        ((b"ls\r", b"~", b"."), (b"ls\r", True, 0)),
        ((b"ls\n~.",), (b"ls\n", True, 0)),
        ((b"cd ~.\r",), (b"cd ~.\r", False, 0)),
        ((b"cd ~", b".", b"\r"), (b"cd ~.\r", False, 0)),
        ((b"~~",), (b"~", False, 0)),
        ((b"~~.\r",), (b"~.\r", False, 0)),
        ((b"~/bin/x\r",), (b"~/bin/x\r", False, 0)),
        ((b"~\r~.",), (b"~\r", True, 0)),
        ((b"~?~.",), (b"", True, 1)),
        ((b"~?ls\r", b"~?"), (b"ls\r", False, 2)),
        ((b"a", b"", b"~."), (b"a~.", False, 0)),
        ((b"\xff\x00~.\x03",), (b"\xff\x00~.\x03", False, 0)),
    ],
)
def test_an_escape_counts_at_the_beginning_of_a_line_alone(
    pieces: tuple[bytes, ...], result: tuple[bytes, bool, int]
) -> None:
    assert read(*pieces) == result


@given(data=st.text(alphabet="~.?a\r\n", max_size=12).map(str.encode), cuts=st.lists(st.integers(0, 12), max_size=4))
def test_how_the_keys_are_cut_into_pieces_changes_nothing(data: bytes, cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(data)]
    assert read(*(data[a:b] for a, b in pairwise(ends)))[:2] == read(data)[:2]
