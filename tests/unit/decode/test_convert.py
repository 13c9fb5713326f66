"""The generic decoder: annotations in, values or problems out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from provision.decode import Rule, parse
from provision.errors import BadFileError


def _even(value: int) -> int:
    if value % 2:
        raise ValueError(f"{value}, expected an even number")
    return value // 2


@dataclass(frozen=True, slots=True)
class Cat:
    kind: Literal["cat"]
    lives: int = 9


@dataclass(frozen=True, slots=True)
class Dog:
    kind: Literal["dog"]
    tricks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Home:
    text: str | None = None
    number: int | None = None
    ratio: float = 1.0
    flag: bool = False
    half: Annotated[int | None, Rule(_even)] = None
    chain: str | tuple[str, ...] | None = None
    pets: tuple[Cat | Dog, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    from_: str | None = None


def decode(text: str) -> Home:
    return parse(text, "home.yaml").decode(Home)


def message(text: str) -> str:
    with pytest.raises(BadFileError) as refused:
        decode(text)
    return refused.value.message


@pytest.mark.parametrize("text", ["no", "22:22", "0o17", "012", "2024-01-01", "1e3", "12.10", "=", "0x1F", "1_000"])
def test_text_is_what_was_typed_whatever_yaml_would_make_of_it(text: str) -> None:
    assert decode(f"text: {text}").text == text


@pytest.mark.parametrize("text", ["0o17", "012", "1e3", "22:22", "0x1F", "1_000", "'22'", "yes", "1.0", "+"])
def test_a_number_is_a_plain_decimal_number_or_refused(text: str) -> None:
    assert message(f"number: {text}").startswith("home.yaml:1: number: '")


def test_a_key_without_a_value_stands_for_the_default() -> None:
    assert decode("text:\nnumber:\nnames:\npets:\n") == Home()


def test_a_tilde_is_refused_where_text_is_expected() -> None:
    assert "put ~ in quotes" in message("text: ~")
    assert decode('text: "~"').text == "~"


def test_a_rule_checks_and_normalises() -> None:
    assert decode("half: 8").half == 4
    assert message("half: 7") == "home.yaml:1: half: 7, expected an even number"


def test_a_union_is_decided_by_the_shape_of_the_value() -> None:
    assert decode("chain: a").chain == "a"
    assert decode("chain: [a, b]").chain == ("a", "b")
    assert message("chain: {a: b}") == "home.yaml:1: chain: a mapping, expected text or a list"


def test_a_union_of_mappings_is_decided_by_their_literal_key() -> None:
    assert decode("pets: [{kind: cat, lives: 7}, {kind: dog, tricks: [sit]}]").pets == (
        Cat("cat", 7),
        Dog("dog", ("sit",)),
    )
    assert (
        message("pets: [{kind: dog, lives: 7}]")
        == "home.yaml:1: pets[1].lives: unknown key, expected one of kind, tricks"
    )
    assert message("pets: [{lives: 7}]") == "home.yaml:1: pets[1]: 'kind' is missing, expected one of cat, dog"


def test_a_trailing_underscore_keeps_a_field_clear_of_a_keyword() -> None:
    assert decode("from: here").from_ == "here"


def test_the_first_problem_by_line_is_reported_and_the_others_are_counted() -> None:
    with pytest.raises(BadFileError) as refused:
        decode("flag: maybe\nratio: x\nnmber: 1\n")
    assert refused.value.message == "home.yaml:1: flag: 'maybe', expected true or false (and 2 more problems)"
    assert refused.value.detail is not None
    assert refused.value.detail.splitlines()[2] == "home.yaml:3: nmber: unknown key, did you mean 'number'?"


def test_whole_numbers_are_taken_for_ratios() -> None:
    assert decode("ratio: 2").ratio == 2.0
