from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from provision.report.display import one_line, output_line, shortened, visible, without_name

ANY = st.text(alphabet=st.characters(codec=None, exclude_categories=()))
DANGEROUS = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def dangerous(text: str) -> list[str]:
    return [one for one in text if unicodedata.category(one) in DANGEROUS]


@given(ANY)
def test_no_control_character_but_newline_survives(text: str) -> None:
    assert not dangerous(visible(text).replace("\n", ""))


@given(ANY)
def test_a_line_stays_one_line(text: str) -> None:
    assert not dangerous(one_line(text))
    assert not dangerous(output_line(text))
    assert len(one_line(text).splitlines()) <= 1


@given(ANY)
def test_the_result_can_be_encoded(text: str) -> None:
    visible(text).encode("utf-8")


@given(ANY)
def test_making_visible_twice_changes_nothing_more(text: str) -> None:
    assert visible(visible(text)) == visible(text)


def test_each_kind_is_shown_by_its_code() -> None:
    assert visible("\x1b[31m\x07\x7f\x9b") == "\\x1b[31m\\x07\\x7f\\x9b"
    assert visible("a\u202eb\u2066c\u200bd\ufeff") == "a\\u202eb\\u2066c\\u200bd\\ufeff"
    assert visible("\udcff\U000e0041\U000e0100") == "\\udcff\\U000e0041\\U000e0100"
    assert visible("\u3164\u115f\ufe0f\u034f") == "\\u3164\\u115f\\ufe0f\\u034f"
    assert visible("\t\r\x00\x85\u2028") == "\\t\\r\\x00\\x85\\u2028"


def test_text_of_any_language_is_left_alone() -> None:
    text = "模型\u3000已就绪 é ñ Ω עברית हिन्दी \u00a0 🚀 C:\\x1b"
    assert visible(text) == text


def test_newlines_stay_in_texts_and_go_from_lines() -> None:
    assert visible("a\nb") == "a\nb"
    assert one_line("a\nb") == "a\\nb"


def test_tabs_of_a_program_become_spaces() -> None:
    assert output_line("a\tb\n") == "a       b"


def test_a_long_text_is_cut_to_the_columns_it_may_take() -> None:
    assert shortened("x" * 40, 40) == "x" * 40
    assert shortened("x" * 41, 40) == "x" * 37 + "..."
    assert shortened("模" * 20, 40) == "模" * 20
    assert shortened("模" * 21, 40) == "模" * 18 + "..."


def test_a_hosts_name_is_not_said_twice() -> None:
    assert without_name("b3: b3: no answer", "b3") == "no answer"
    assert without_name("b33: no answer", "b3") == "b33: no answer"
