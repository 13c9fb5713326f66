"""Ids are short words that a person types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.jobs.ids import ID, may_be_id, new_id


@given(st.binary(min_size=6, max_size=16))
def test_an_id_is_six_letters_or_digits_that_nobody_mistakes(random: bytes) -> None:
    made = new_id(random)
    assert ID.fullmatch(made)
    assert not set(made) & set("0189")
    assert all(may_be_id(made[:length]) for length in range(1, 7))


def test_other_random_bytes_make_another_id() -> None:
    made = {new_id(bytes([a, b, 0, 0, 0, 0])) for a in range(26) for b in range(32)}
    assert len(made) == 26 * 32


def test_too_few_random_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="5 bytes"):
        new_id(b"12345")


@pytest.mark.parametrize("word", ["", "1a", "A", "a-b", "abcdefg", "a0", "last job"])
def test_what_cannot_begin_an_id(word: str) -> None:
    assert not may_be_id(word)
