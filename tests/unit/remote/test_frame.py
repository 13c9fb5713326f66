"""The frame: a program's own output is found in any stream, however it is cut, whatever stands around it."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from provision.remote.frame import Frame

NONCE = "0123456789abcdef" * 2
BEGIN, END = f"\n{NONCE} begin\n".encode(), f"{NONCE} end ".encode()
PARTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"\n", b"\n\n", NONCE.encode(), BEGIN[:-1], END, END[:-1], NONCE[:7].encode(), b"\n" + END[:20]]),
)
OUTPUT = st.lists(PARTS, max_size=8).map(b"".join).filter(lambda text: END not in text)
NOISE = st.lists(PARTS, max_size=8).map(b"".join).filter(lambda text: (b"\n" + text + BEGIN).find(BEGIN) > len(text))


def cut(stream: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(stream[:size])
        stream = stream[size:]
    return [*pieces, *(stream[at : at + 61] for at in range(0, len(stream), 61))]


SIZES = st.lists(st.integers(0, 30), max_size=40)


@given(NOISE, OUTPUT, st.integers(0, 255), SIZES, st.binary(max_size=50))
@example(b"", b"\n", 0, [1] * 40, b"")
@example(NONCE.encode(), NONCE.encode(), 7, [1] * 40, BEGIN)
def test_output_and_code_are_found_in_any_noise_and_any_pieces(
    noise: bytes, output: bytes, code: int, sizes: list[int], after: bytes
) -> None:
    frame = Frame(NONCE)
    stream = noise + BEGIN + output + END + f"{code}\n".encode() + after
    # An end line of the output that is cut by the real one would be another output.
    if (output + END).find(END) != len(output):
        return
    found = b"".join(frame.feed(piece) for piece in cut(stream, sizes))
    assert (found, frame.exit_code, frame.begun) == (output, code, True)
    assert frame.rest() == b""


@given(NOISE, OUTPUT, SIZES)
def test_what_was_said_before_a_link_broke_is_not_lost_and_has_no_code(
    noise: bytes, output: bytes, sizes: list[int]
) -> None:
    frame = Frame(NONCE)
    found = b"".join(frame.feed(piece) for piece in cut(noise + BEGIN + output, sizes))
    assert found + frame.rest() == output
    assert frame.exit_code is None


@given(NOISE, SIZES)
def test_a_stream_without_a_frame_is_kept_to_explain_itself(noise: bytes, sizes: list[int]) -> None:
    frame = Frame(NONCE)
    assert b"".join(frame.feed(piece) for piece in cut(noise, sizes)) == b""
    assert frame.exit_code is None
    assert not frame.begun
    assert frame.rest().endswith(noise[-1000:])


def test_endless_noise_takes_little_memory() -> None:
    frame = Frame(NONCE)
    for _ in range(300):
        frame.feed(b"x" * 65536)
    assert len(frame.noise) <= 4096
    assert len(frame._buffer) <= len(BEGIN)


def test_the_frame_of_another_command_is_noise() -> None:
    frame = Frame(NONCE)
    other = "f" * 32
    assert frame.feed(f"\n{other} begin\nhello\n{other} end 0\n".encode()) == b""
    assert (frame.begun, frame.exit_code) == (False, None)


@given(
    st.one_of(
        st.integers(256, 99_999), st.integers(max_value=-1), st.sampled_from(["", " 0", "+0", "0 ", "0x0", "0\r"])
    )
)
def test_a_code_that_no_program_ends_with_is_output(code: int | str) -> None:
    frame = Frame(NONCE)
    line = END + f"{code}\n".encode()
    assert frame.feed(BEGIN + line) + frame.rest() == line
    assert frame.exit_code is None
