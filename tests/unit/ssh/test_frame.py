"""Laws of the exec protocol: any noise around, any pieces; and the composed script under real shells."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.engine.everywhere import LONGEST, Lines
from provision.remote.command import compose, quote, terminal_line
from provision.remote.frame import Frame

if TYPE_CHECKING:
    from pathlib import Path

NONCE = "5ca1ab1e" * 4
NOISE = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([NONCE.encode(), f"\n{NONCE} beg".encode(), f"{NONCE} end ".encode()[:-1], b"\n", b"\r\n\x1b[0m"]),
    st.lists(st.sampled_from([NONCE[:9].encode(), b"\n", b" ", b"end", b"5", b"5c"]), max_size=12).map(b"".join),
)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({cut % (len(stream) + 1) for cut in cuts})
    return [stream[a:b] for a, b in zip([0, *at], [*at, len(stream)], strict=True)]


@given(before=NOISE, output=NOISE, after=NOISE, code=st.integers(0, 255), cuts=st.lists(st.integers(0, 9999)))
def test_what_stands_between_the_lines_is_the_output_however_it_is_cut(
    before: bytes, output: bytes, after: bytes, code: int, cuts: list[int]
) -> None:
    stream = before + f"\n{NONCE} begin\n".encode() + output + f"{NONCE} end {code}\n".encode() + after
    frame = Frame(NONCE)
    got = b"".join(frame.feed(piece) for piece in pieces(stream, cuts))
    assert (got, frame.exit_code, frame.begun) == (output, code, True)


@given(before=NOISE, output=NOISE, cuts=st.lists(st.integers(0, 9999)))
def test_without_an_end_line_there_is_no_exit_code_and_nothing_is_lost(
    before: bytes, output: bytes, cuts: list[int]
) -> None:
    frame = Frame(NONCE)
    stream = before + f"\n{NONCE} begin\n".encode() + output
    got = b"".join(frame.feed(piece) for piece in pieces(stream, cuts))
    assert frame.exit_code is None
    assert got + frame.rest() == output


@given(noise=st.binary(max_size=20_000), cuts=st.lists(st.integers(0, 99_999), max_size=5))
def test_noise_alone_is_no_output_and_its_end_is_kept(noise: bytes, cuts: list[int]) -> None:
    frame = Frame(NONCE)
    assert all(frame.feed(piece) == b"" for piece in pieces(noise, cuts))
    assert not frame.begun
    rest = frame.rest()
    assert len(rest) <= 4096
    assert (b"\n" + noise).endswith(rest)


def test_a_line_is_given_out_as_soon_as_it_is_there() -> None:
    frame = Frame(NONCE)
    frame.feed(f"\n{NONCE} begin\n".encode())
    assert frame.feed(b"one\n") == b"one\n"
    assert frame.feed(b"Password: ") == b"Password: "


@given(text=st.text(), cuts=st.lists(st.integers(0, 9999)))
def test_lines_are_those_of_the_whole_text_however_it_is_cut(text: str, cuts: list[int]) -> None:
    lines = Lines()
    raw = text.encode("utf-8", "surrogatepass")
    got = [line for piece in pieces(raw, cuts) for line in lines.feed(piece)] + lines.rest()
    *whole, last = raw.decode("utf-8", "replace").split("\n")
    assert got == [line.rstrip("\r") for line in (*whole, *([last] if last else []))]


def test_a_line_without_end_comes_in_pieces() -> None:
    lines = Lines()
    got = [line for _ in range(10) for line in lines.feed(b"x" * LONGEST)] + lines.rest()
    assert "".join(got) == "x" * LONGEST * 10
    assert max(map(len, got)) == LONGEST


SHELLS = [one for one in ("dash", "bash", "busybox") if shutil.which(one)]
WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


def as_sh(folder: Path, shell: str) -> str:
    """Make a PATH on which `sh` is that shell."""
    folder.mkdir(exist_ok=True)
    link = folder / "sh"
    if not link.is_symlink():
        link.symlink_to(str(shutil.which(shell)))
    return f"{folder}:/usr/bin:/bin"


@pytest.mark.parametrize("shell", SHELLS)
@given(words=st.lists(WORD, max_size=4), data=st.binary(max_size=100), code=st.integers(0, 255))
def test_the_exec_line_takes_its_script_and_leaves_the_data(
    tmp_path_factory: pytest.TempPathFactory, shell: str, words: list[str], data: bytes, code: int
) -> None:
    path = as_sh(tmp_path_factory.getbasetemp() / shell, shell)
    command = compose(f'printf "%s\\0" "$@"; cat; exit {code}', tuple(words), nonce=NONCE, data=data)
    done = subprocess.run(
        ["sh", "-c", command.line], input=command.stdin, env={"PATH": path}, capture_output=True, check=False
    )
    frame = Frame(NONCE)
    expected = b"".join(word.encode() + b"\0" for word in words) if words else b"\0"
    assert frame.feed(done.stdout) == expected + data
    assert (frame.exit_code, done.returncode) == (code, code)


@pytest.mark.parametrize("gathered", [False, True])
def test_the_end_line_comes_even_where_the_shell_leaves_at_the_first_failure(tmp_path: Path, gathered: bool) -> None:
    """bash, as sh, takes -e from an exported SHELLOPTS."""
    env = {"PATH": as_sh(tmp_path / "bin", "bash"), "SHELLOPTS": "errexit:nounset"}
    command = compose("echo one; exit 7", (), nonce=NONCE, gathered=gathered)
    done = subprocess.run(["sh", "-c", command.line], input=command.stdin, env=env, capture_output=True, check=False)
    frame = Frame(NONCE)
    assert frame.feed(done.stdout) == b"one\n"
    assert frame.exit_code == 7


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_a_script_that_arrives_in_part_runs_wholly_or_not_at_all(cut: int) -> None:
    command = compose("echo one\necho two", (), nonce=NONCE)
    part = command.stdin[: len(command.stdin) * cut // 60]
    done = subprocess.run(["sh", "-c", command.line], input=part, capture_output=True, check=False)
    frame = Frame(NONCE)
    output = frame.feed(done.stdout)
    assert (b"one\n" in output) == (b"two\n" in output)
    assert frame.exit_code is None or b"two\n" in output


@pytest.mark.parametrize("shell", SHELLS)
@given(words=st.lists(WORD, min_size=2, max_size=5))
def test_words_for_a_terminal_arrive_as_typed(
    tmp_path_factory: pytest.TempPathFactory, shell: str, words: list[str]
) -> None:
    env = {"PATH": as_sh(tmp_path_factory.getbasetemp() / shell, shell)}
    line = terminal_line(("printf", "%s\\0", *words))
    done = subprocess.run(["sh", "-c", line], env=env, capture_output=True, check=True)
    assert done.stdout == b"".join(word.encode() + b"\0" for word in words)
    assert not set(line.split(" sh ")[-1]) - set("'\\01234567")


def test_a_nul_cannot_be_quoted() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")
