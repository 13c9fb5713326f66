"""Which regular expressions may search an output."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.pitfalls import shipped
from provision.pitfalls.pattern import LONGEST_LINE, MOST_TRIES, pattern, weight


@pytest.mark.parametrize(
    ("text", "tries", "letters"),
    [
        ("plain text", 1, 10),
        ("abc.*defgh", LONGEST_LINE + 1, 5),
        ("abcd.{0,9}", 10, 4),
        (r"abcd(one|three)?", 3, 4),
        ("(wide|narrow)", 2, 4),
        ("(?i)error: [0-9]{3}", 1, 7),
        ("^words$", 1, 5),
        (r"[^\n]{0,40}words", 41, 5),
    ],
)
def test_the_cost_of_an_expression_is_known_beforehand(text: str, tries: int, letters: int) -> None:
    assert weight(text) == (tries, letters)
    assert pattern(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(abcd+)+", "a repeat or a choice stands within a repeat"),
        ("(one|three)*text", "a repeat or a choice stands within a repeat"),
        ("abcd.*efgh.*ijkl", "could take too long on a long line"),
        (r"text\s+more", "could cross lines"),
        (r"text[^']*more", "could cross lines"),
        (r"text(\W)*more", "could cross lines"),
        ("text(?=more)", "lookarounds"),
        (r"(text)\1", "references to groups"),
        ("(?s)text.more", "of the flags only (?i)"),
        ("(?x)text", "of the flags only (?i)"),
        ("(?s:text.)", "of the flags only (?i)"),
        (".*", "says too little"),
        ("a|text", "says too little"),
        ("(text)?", "says too little"),
        ("", "says too little"),
        ("(text", "is not a regular expression"),
        ("text[", "is not a regular expression"),
        ("text[[a]", "is not a regular expression"),
        ("a{99999999999}text", "is not a regular expression"),
        ("x" * 401, "longer than 400 characters"),
    ],
)
def test_what_could_be_endless_or_says_nothing_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        pattern(text)


def test_every_shipped_expression_is_far_below_the_limit() -> None:
    assert max(weight(text)[0] for one in shipped() for text in one.signatures) <= MOST_TRIES / 5


@settings(deadline=None)
@given(st.text(alphabet="ab()[]{}|*+?.\\^$,0123nsSwd:=!<>-", max_size=24), st.text(alphabet="ab01 \n", max_size=400))
def test_any_expression_is_refused_or_can_search_any_text(text: str, output: str) -> None:
    try:
        taken = pattern(text)
    except ValueError:
        return
    re.compile(taken, re.MULTILINE).search(output)
