"""The drawing of what GPUs did."""

from __future__ import annotations

from typing import Any

import pytest

from provision.report.gpu_chart import chart, samples_of
from provision.report.style import Style


def drawn(samples: Any, idle: dict[str, float] | None = None, width: int = 100, *, plain: bool = False) -> list[str]:
    return list(chart(samples_of(samples), idle or {}, Style(enabled=False), width, plain=plain))


def test_each_gpu_has_a_row_of_its_use_and_one_of_its_memory() -> None:
    rows = [[at, at % 101, 1024 * 4, 1024 * 8, 200, 60] for at in range(0, 101, 25)]
    lines = drawn({"GPU-1": rows})
    assert lines[0] == "GPU-1"
    assert lines[1] == "  utilisation  ▂▄▆█  0 to 100 %, mean 50 %"
    assert lines[2] == "  memory      ▄▄▄▄▄  4 to 4 GiB, mean 4 GiB"
    assert lines[3] == "  power 200 to 200 W, 60 to 60 °C"


def test_a_gpu_that_did_nothing_for_most_of_the_run_is_told() -> None:
    rows = [[at, 0, 1, 2, None, None] for at in range(10)]
    assert drawn({"GPU-1": rows}, {"GPU-1": 0.83})[-1].startswith("  it sat idle for 83% of the run")
    assert not any("idle" in line for line in drawn({"GPU-1": rows}, {"GPU-1": 0.2}))


def test_more_samples_than_columns_are_drawn_as_means() -> None:
    rows = [[at, 100 if at < 5000 else 0, 1, 2, None, None] for at in range(10_000)]
    line = drawn({"GPU-1": rows}, width=64)[1]
    assert line == f"  utilisation {'█' * 10}{' ' * 10}  0 to 100 %, mean 50 %"


def test_any_use_at_all_is_seen() -> None:
    assert "▁" in drawn({"GPU-1": [[0, 1, None, None, None, None]]})[1]


def test_what_a_driver_does_not_say_is_told_as_such() -> None:
    lines = drawn({"GPU-1": [[0, None, None, None, None, None]], "GPU-2": []})
    assert lines == ["GPU-1", "  utilisation not known", "  memory      not known"]


def test_a_terminal_without_such_characters_gets_plain_ones() -> None:
    lines = drawn({"GPU-1": [[0, 50, 1, 2, 3, 4]]}, plain=True)
    assert all(line.isascii() for line in lines)


@pytest.mark.parametrize(
    "samples",
    [
        None,
        {"GPU-1": [[0, float("nan"), float("inf"), 10**400, True, "x"], "row", [1], None]},
        {"GPU-1": [[float("inf"), 1, 1, 1, 1, 1]]},
        {"\x1b[2J": [[0, -5, -5, -5, -5, -5]]},
        {"GPU-1": [[0, 1e14, 1e14, 1, 1, 1]]},
    ],
)
def test_whatever_a_host_tells_something_harmless_is_drawn(samples: Any) -> None:
    assert "\x1b" not in "".join(drawn(samples))
