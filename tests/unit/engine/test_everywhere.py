"""A user's command: run once, its lines whole, its code passed on, and never repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.engine.everywhere import run_everywhere
from provision.engine.stop import Stop
from provision.errors import InterruptedRunError, LinkLostError
from provision.model.link import Completed, OnOutput
from tests.unit.engine.model_host import ModelHost
from tests.unit.engine.model_link import ModelLink

if TYPE_CHECKING:
    from provision.model.plan import Program


class Talking(ModelLink):
    """A link whose host says these pieces, whatever is run there."""

    pieces: tuple[tuple[str, bytes], ...] = ()
    code: int = 0
    ran: tuple[Program, ...] = ()

    def run(
        self, program: Program, *, on_output: OnOutput | None = None, capture: bool = True, stream: object = None
    ) -> Completed:
        del capture, stream
        self.ran = (*self.ran, program)
        for name, piece in self.pieces:
            assert on_output is not None
            on_output(name, piece)
        if self.down:
            raise LinkLostError("the link was lost")
        return Completed(self.code, b"", b"", 0.0)


def talking(*pieces: tuple[str, bytes], code: int = 0) -> Talking:
    link = Talking(ModelHost())
    link.pieces, link.code = pieces, code
    return link


def shown(link: Talking, *words: str, stop: Stop | None = None) -> tuple[int, list[tuple[str, str]]]:
    lines: list[tuple[str, str]] = []
    code = run_everywhere(
        link,
        words or ("true",),
        timeout=5,
        stop=stop or Stop(),
        show=lambda name, texts: lines.extend((name, one) for one in texts),
    )
    return code, lines


@given(st.text(st.sampled_from("ab é中\t"), max_size=30).map(str.split), st.integers(1, 5))
def test_lines_are_whole_however_they_come(words: list[str], size: int) -> None:
    data = "".join(f"{one}\n" for one in words).encode()
    link = talking(*(("stdout", data[at : at + size]) for at in range(0, len(data), size)))
    assert shown(link) == (0, [("stdout", one) for one in words])


def test_both_streams_keep_their_own_halves() -> None:
    link = talking(("stdout", b"o"), ("stderr", b"err"), ("stdout", b"ut\n"), ("stderr", b"or"), code=7)
    assert shown(link) == (7, [("stdout", "out"), ("stderr", "error")])


def test_a_command_without_a_link_is_never_repeated_and_its_last_words_are_shown() -> None:
    link = talking(("stdout", b"one\nhalf"))
    link.down = True
    lines: list[str] = []
    with pytest.raises(LinkLostError, match="may have run"):
        run_everywhere(link, ("rm", "x"), timeout=5, stop=Stop(), show=lambda _name, texts: lines.extend(texts))
    assert lines == ["one", "half"]
    assert len(link.ran) == 1


def test_the_first_stop_ends_it() -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(InterruptedRunError):
        shown(talking(("stdout", b"line\n")), stop=stop)


def test_the_words_reach_the_host_as_they_were_typed() -> None:
    link = talking()
    shown(link, "printf", "%s", "it's")
    shown(link, "df -h | tail -1")
    assert [one.arguments for one in link.ran] == [("printf", "%s", "it's"), ("sh", "-c", "df -h | tail -1")]
