"""What is looked for in an output, and in which order it is told."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from provision.pitfalls import Pitfall, evidence, match, shipped
from provision.pitfalls.matching import TAIL
from provision.pitfalls.pattern import LONGEST_LINE

_SPECIFIC = Pitfall("specific", ("disk of tape",), "c", ("f",), before=("general",))
_GENERAL = Pitfall("general", ("disk",), "c", ("f",))
_OTHER = Pitfall("other", (r"^other\b", "second form"), "c", ("f",))
_LIMITED = Pitfall("limited", ("broken",), "c", ("f",), also="conda")
_KNOWN = (_SPECIFIC, _GENERAL, _OTHER, _LIMITED)


def _ids(text: str, step: str = "") -> list[str]:
    return [one.id for one in match(text, _KNOWN, step)]


def test_pitfalls_are_told_in_the_order_in_which_they_are_known() -> None:
    assert _ids("other\ndisk") == ["general", "other"]


def test_one_of_several_signatures_is_enough_and_counts_once() -> None:
    assert _ids("x second form\nother") == ["other"]


def test_the_general_is_left_out_where_the_specific_is_met() -> None:
    assert _ids("a disk of tape\na disk") == ["specific"]


def test_a_line_begins_after_any_line_end() -> None:
    assert _ids("x\nother") == _ids("x\r\nother") == _ids("50%\rother") == ["other"]
    assert _ids("an other") == []


def test_the_further_condition_may_stand_in_the_output_or_in_the_name_of_the_step() -> None:
    assert _ids("broken") == []
    assert _ids("broken\nsaid conda") == ["limited"]
    assert _ids("broken", step="install conda") == ["limited"]


def test_colours_do_not_hide_a_pitfall() -> None:
    assert _ids("\x1b[31mERROR\x1b[0m: a \x1b[1;31mdi\x1b[0msk") == ["general"]


def test_only_the_end_of_an_output_is_searched() -> None:
    assert _ids("disk\n" + "x\n" * TAIL) == []
    assert _ids("x\n" * TAIL + "disk") == ["general"]


def test_a_pitfall_is_found_anywhere_in_a_line_without_an_end() -> None:
    for at in range(LONGEST_LINE - 30, LONGEST_LINE + 30):
        assert _ids("x" * at + "disk of tape" + "y" * 3 * LONGEST_LINE) == ["specific"]


def test_the_evidence_is_the_last_line_that_shows_it() -> None:
    assert evidence("first disk\n  second disk \nno more", _GENERAL) == "second disk"
    assert evidence("nothing", _GENERAL) is None


def test_no_output_shows_nothing() -> None:
    assert match("", shipped()) == match("disk", ()) == ()


_PIECES = st.sampled_from(
    sorted({word for one in shipped() for text in one.signatures for word in text.split()} | {"\n", "\r", "\x1b[31m"})
)


@settings(deadline=None)
@given(st.lists(st.one_of(_PIECES, st.text(max_size=20)), max_size=40).map(" ".join))
def test_any_output_gives_known_pitfalls_once_each_in_their_order(text: str) -> None:
    found = match(text, shipped())
    order = {one.id: number for number, one in enumerate(shipped())}
    places = [order[one.id] for one in found]
    assert places == sorted(set(places))
    assert all(evidence(text, one) is not None for one in found)


@settings(deadline=None)
@given(
    piece=st.sampled_from(sorted({text for one in shipped() for text in one.signatures})), times=st.integers(1, 3000)
)
def test_a_line_that_repeats_what_almost_matches_comes_to_an_end(piece: str, times: int) -> None:
    assert isinstance(match(piece[:-1] * times, shipped()), tuple)


@settings(deadline=None)
@given(before=st.text(max_size=300), after=st.text(max_size=300))
def test_what_stands_around_an_error_does_not_hide_it(before: str, after: str) -> None:
    text = f"{before}\nE: dpkg was interrupted, you must\n{after}"
    assert "apt-interrupted" in [one.id for one in match(text, shipped())]
