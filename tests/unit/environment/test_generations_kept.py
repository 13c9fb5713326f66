"""What stays when room is made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.generations_kept import Built, Environment, environments_of, kept, to_remove


@st.composite
def environments(draw: st.DrawFn) -> Environment:
    counters = draw(st.lists(st.integers(1, 999), unique=True, max_size=8))
    built = tuple(
        Built(f"{one}-0123abcd", draw(st.booleans()), draw(st.booleans()), draw(st.sampled_from([(), ("job abcdef",)])))
        for one in counters
    )
    current = draw(st.sampled_from([None, *(one.name for one in built)]))
    return Environment("mymodel", "mymodel", current, built)


@given(environments(), st.integers(0, 9), st.data())
def test_nothing_goes_that_is_current_or_used_or_new_enough_or_kept_by_name(
    environment: Environment, keep: int, data: st.DataObject
) -> None:
    kept = data.draw(st.sets(st.sampled_from([one.name for one in environment.generations] or ["none"])))
    gone = to_remove(environment, keep, kept)
    usable = sorted((one for one in environment.generations if one.usable), key=lambda one: -one.counter)
    newest = {one.name for one in usable[:keep]}
    assert not {environment.current, *newest, *kept} & set(gone)
    assert not [one for one in environment.generations if one.name in gone and one.used_by]
    rest = {one.name for one in environment.generations if not one.used_by} - {environment.current, *newest, *kept}
    assert set(gone) == rest


def test_unfinished_and_rejected_ones_do_not_count_as_newest() -> None:
    built = (
        Built("1-0123abcd"),
        Built("2-0123abcd"),
        Built("3-0123abcd", rejected=True),
        Built("4-0123abcd", complete=False),
    )
    environment = Environment("mymodel", "mymodel", "2-0123abcd", built)
    assert to_remove(environment, 2) == ("3-0123abcd", "4-0123abcd")
    assert environment.previous == "1-0123abcd"


@pytest.mark.parametrize("told", [None, {}, {"format": 1, "environments": [{}]}, {"format": 1, "environments": [3]}])
def test_a_list_that_is_not_ours_is_refused(told: object) -> None:
    with pytest.raises(ValueError, match="not understood"):
        environments_of(told)


@given(environments(), st.integers(0, 9), st.data())
def test_every_generation_goes_or_stays_with_a_reason(environment: Environment, keep: int, data: st.DataObject) -> None:
    named = data.draw(st.sets(st.sampled_from([one.name for one in environment.generations] or ["none"])))
    gone, stays = to_remove(environment, keep, named), dict(kept(environment, keep, named))
    assert sorted((*gone, *stays)) == sorted(one.name for one in environment.generations)
    assert all(stays.values())


def test_what_stays_says_all_its_reasons() -> None:
    users = ("job abcdef", "process 7", "process 8", "process 9", "process 10")
    built = (Built("1-0123abcd", used_by=users), Built("2-0123abcd"), Built("3-0123abcd"), Built("4-0123abcd"))
    environment = Environment("mymodel", "mymodel", "4-0123abcd", built)
    assert kept(environment, 2, ["2-0123abcd"]) == (
        ("1-0123abcd", "used by job abcdef, process 7, process 8 and 2 more"),
        ("2-0123abcd", "a rollback needs it"),
        ("3-0123abcd", "one of the 2 newest"),
        ("4-0123abcd", "current, one of the 2 newest"),
    )
    assert kept(environment, 0)[1:] == (("4-0123abcd", "current"),)
