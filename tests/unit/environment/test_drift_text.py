"""Drift in words: a person reads what was, what is, and since when."""

from __future__ import annotations

import pytest

from provision.environment.drift import Change, Damage, Held
from provision.environment.drift_baseline import Build
from provision.environment.drift_text import SHOWN, damage_said, drift_lines, said, when

WAS, NOW = Held("conda", "numpy", "1.26.4", "py311_0"), Held("conda", "numpy", "2.1.0", "py311_1")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change(None, Held("pip", "einops", "0.8.0")), "einops 0.8.0 was installed by pip"),
        (Change(WAS, None), "numpy 1.26.4 py311_0 (conda) was removed"),
        (Change(WAS, NOW), "numpy was 1.26.4 py311_0 and is 2.1.0 py311_1 (conda)"),
        (
            Change(None, Held("pip", "tool", "1", origin="https://git.example/tool@abc")),
            "tool 1 from https://git.example/tool@abc was installed by pip",
        ),
        (
            Change(Held("conda", "a", "1", "0", "x"), Held("conda", "a", "1", "0", "y")),
            "a 1 0 (conda) is another archive of that name",
        ),
    ],
)
def test_a_change_is_one_sentence(change: Change, text: str) -> None:
    assert said(change) == text


def test_the_moment_is_told_where_it_is_known() -> None:
    assert said(Change(None, NOW), 1_750_000_000).endswith("was installed by conda, on 2025-06-15 15:06 UTC")
    assert said(Change(WAS, NOW), 1_750_000_000).endswith(", on 2025-06-15 15:06 UTC")


@pytest.mark.parametrize("seconds", [None, 10**18, -(10**18), 10**40])
def test_a_moment_that_no_calendar_has_is_none(seconds: int | None) -> None:
    assert when(seconds) is None


def test_missing_files_are_counted_with_an_example() -> None:
    assert damage_said(Damage("numpy", "1.26.4", 2, 40, "lib/a.so")) == (
        "numpy 1.26.4 lacks 2 of its 40 files, such as lib/a.so"
    )
    assert damage_said(Damage("numpy", "1.26.4", 2, 40)) == "numpy 1.26.4 lacks 2 of its 40 files"


def test_the_first_differences_are_named_and_the_rest_is_counted() -> None:
    changes = [Change(None, Held("pip", f"p{number}", "1")) for number in range(SHOWN + 2)]
    lines = drift_lines(changes, Build(None), [Damage("numpy", "1", 1, 2)])
    assert len(lines) == SHOWN + 1
    assert lines[-1] == "and 3 more"
    assert drift_lines((), Build(None)) == ()


def test_a_package_is_told_with_the_time_of_its_own_record() -> None:
    build = Build((), (("einops 0.8.0", 1_750_000_000),))
    assert drift_lines([Change(None, Held("pip", "einops", "0.8.0"))], build) == (
        "einops 0.8.0 was installed by pip, on 2025-06-15 15:06 UTC",
    )
