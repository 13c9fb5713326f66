"""The benchmark's arithmetic, and that a run which did other work is no figure."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from bench.build_cases import Build, moments
from bench.cases import Case
from bench.record import document, merged
from bench.report import Results, markdown
from bench.timing import CommandFailedError, Contestant, Duel, Sample, Series, duel, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def series(name: str, *seconds: float) -> Series:
    return Series(name, tuple(Sample(one, one / 2) for one in seconds))


def typed(code: str, folder: Path, proves: Callable[[str], bool] = bool) -> Contestant:
    return Contestant("typed", (sys.executable, "-c", code), dict(os.environ), folder, proves)


def results(case: Case, *, busy: bool = False) -> Results:
    return Results(
        {"machine": "a test's"},
        (0.1, 0.2),
        busy,
        [case],
        {"ours": 7.5},
        {"ours": {"sent": 9, "received": 1}},
        {"yaml": 0.004},
    )


SLOW = Case("1 host", 100, Duel(series("ours", 1.0, 3.0, 1.0), series("theirs", 2.0, 2.0, 4.0)), 0.4)
FAST = Case("1 host", 0, Duel(series("ours", 1.0), series("theirs", 4.0)), 0.4)


def test_the_ratio_is_the_median_of_the_pairs_and_not_the_ratio_of_the_medians() -> None:
    assert SLOW.duel.ratios == (0.5, 1.5, 0.25)
    assert SLOW.duel.ratio == 0.5
    assert (SLOW.duel.ours.wall, SLOW.duel.ours.fastest, SLOW.duel.ours.slowest) == (1.0, 1.0, 3.0)


def test_a_target_is_missed_only_above_it() -> None:
    assert SLOW.missed
    assert not FAST.missed
    assert not Case("", 0, FAST.duel, 0.25).missed
    assert not Case("", 0, SLOW.duel, None).missed


def test_the_page_names_what_was_missed_and_whether_the_machine_was_busy() -> None:
    page = markdown({"up": document(results(SLOW, busy=True))})
    assert "| 1 host | 100 ms | ours | 1.000 s (1.000 to 3.000) |" in page
    assert "**0.50** (0.25 to 1.50) | **missed**: <= 0.40" in page
    assert "the machine was busy" in page
    assert results(SLOW).missed == ["1 host, 100 ms: ours takes 0.50 of theirs, more than 0.40"]
    assert "met: <= 0.40" in markdown({"up": document(results(FAST))})
    assert results(FAST).missed == []


def test_many_builds_at_once_are_told_by_counts_and_must_neither_solve_nor_wait_for_each_other() -> None:
    good = Build(8, 0, 4.0, 12_345.6, 2_000.0, 17.5, 4.0, 9.0, 10.0)
    found = Results({"machine": "a test's"}, (0.1, 0.2), False, [], builds=[good])
    assert found.missed == []
    assert "| 8 | 0 | 0.50 s | 12,346 | 2,000 | 17.5 | 4.0 s | 9.0 s | 10.0 s |" in markdown(
        {"builds": document(found)}
    )
    solved = Results({}, (0.1, 0.2), False, [], builds=[replace(good, solves=2), replace(good, overlap=1.0)])
    assert solved.missed == [
        "8 hosts at once: an index was read 2 times, so something was solved",
        "8 hosts at once: all built together for 4.0 s, and were at work together for 1.0 s of 10.0",
    ]


def test_the_time_line_is_read_from_the_log() -> None:
    log = (
        "2026-11-23T15:56:53.500Z a step 3/6 build m 1-0 (x)\n"
        "2026-11-23T15:56:54.000Z b step 3/6 build m 1-0 (x)\n"
        "2026-11-23T15:56:55.000Z a step 3/6 build m 1-0 (x)\n"
    )
    found = moments(log, re.compile(r"(?P<at>\S+Z) (?P<host>\S+) step \d+/\d+ build "))
    assert found["b"] - found["a"] == pytest.approx(0.5)


def test_the_document_holds_every_sample() -> None:
    shown = json.loads(json.dumps(document(results(SLOW))))
    (case,) = shown["cases"]
    assert case["ours"]["wall_seconds"] == [1.0, 3.0, 1.0]
    assert (case["ratio"], case["missed"], case["ratios"]) == (0.5, True, [0.5, 1.5, 0.25])


def test_a_run_is_timed_as_a_whole_process_with_its_own_processor_time(tmp_path: Path) -> None:
    sample = run(typed("import time; time.sleep(0.2); print('done')", tmp_path))
    assert sample.wall >= 0.2
    assert 0 < sample.cpu < sample.wall


def test_a_run_that_fails_or_proves_nothing_stops_the_measurement(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match="exit 3"):
        run(typed("import sys; print('oh'); sys.exit(3)", tmp_path))
    with pytest.raises(CommandFailedError, match="this work was done"):
        run(typed("print('changed')", tmp_path, lambda text: "converged" in text))


def test_two_contestants_run_in_turn_after_one_run_each_to_warm_up(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = "import pathlib; open({0!r}, 'a').write({1!r}); print('done')"
    left, right = (typed(code.format(str(told), letter), tmp_path) for letter in "AB")
    assert len(duel(left, right, 2).ratios) == 2
    assert told.read_text() == "ABABAB"


def test_what_lies_before_a_run_is_done_before_each_and_not_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    monkeypatch.setattr("bench.timing.time.perf_counter", lambda: sum(passed))
    prepared = Contestant("true", ("true",), dict(os.environ), tmp_path, lambda _: True, lambda: passed.append(60.0))
    done = duel(prepared, prepared, 2)
    assert sum(passed) == 6 * 60
    assert (done.ours.slowest, done.theirs.slowest) == (0.0, 0.0)


def test_a_part_measured_alone_leaves_the_others_rows_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(merged(path, "sync", results(SLOW))))
    path.write_text(json.dumps(merged(path, "up", results(FAST))))
    records = merged(path, "up", results(FAST, busy=True))
    assert list(records) == ["up", "sync"]
    assert records["sync"] == json.loads(json.dumps(document(results(SLOW))))
    assert records["up"]["load_average"]["busy"]
    page = markdown(records)
    assert page.index("## Up") < page.index("0.40") < page.index("## Sync") < page.index("**missed**")
