"""What a job prints: exact in a file, harmless on a terminal, however it is cut into pieces."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.cli.log_screen import Harmless, LogScreen


class Screen(io.BytesIO):
    def isatty(self) -> bool:
        return True


def shown(data: bytes) -> str:
    harmless = Harmless()
    return harmless.feed(data, last=True)


@given(st.lists(st.binary()))
def test_files_get_every_byte(pieces: list[bytes]) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    screen = LogScreen(out, err)
    for number, piece in enumerate(pieces):
        screen.take(number % 2, piece)
    screen.close()
    assert out.getvalue() == b"".join(pieces[::2])
    assert err.getvalue() == b"".join(pieces[1::2])


@given(st.binary(), st.integers(1, 7))
def test_on_a_terminal_the_pieces_do_not_matter(data: bytes, size: int) -> None:
    out = Screen()
    screen = LogScreen(out, Screen())
    for at in range(0, len(data), size):
        screen.take(0, data[at : at + size])
    screen.close()
    assert out.getvalue().decode() == shown(data)


def test_what_progress_bars_need_goes_through() -> None:
    bar = "\x1b[32mstep 1\x1b[0m\rstep 2\x1b[K\n\x1b[A\ttwo\b\n"
    assert shown(bar.encode()) == bar


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b]0;title\x07x", "^[]0;titlex"),
        (b"\x1b[2J\x1b[Hx", "^[[Hx"),
        (b"\x1bcx", "^[cx"),
        (b"\x1b[?1049hx", "^[[?1049hx"),
        (b"\x00\x01\x7f", "^@^A^?"),
        ("\x9b31mx".encode(), "\\x9b31mx"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\x1b[", "^[["),
        ("中文 é".encode(), "中文 é"),
    ],
)
def test_everything_else_that_a_terminal_obeys_is_shown_instead(data: bytes, text: str) -> None:
    assert shown(data) == text


def test_a_note_of_the_supervisor_is_a_line_of_ours() -> None:
    out, err = io.BytesIO(), io.BytesIO()
    LogScreen(out, err).take(2, b"\n12 bytes of output were lost here: the disk was full\n")
    assert (out.getvalue(), err.getvalue()) == (
        b"",
        b"provision: 12 bytes of output were lost here: the disk was full\n",
    )
