"""What the plots are drawn from, and that a drawing brings nothing of its own into the page."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest

from provision.page.fleet import Event, Fleet, HostNow, JobNow, Outcome, RunSeen, StepTime
from provision.page.numbers import OTHERS, numbers
from provision.page.plots import plots
from tests.page.sample import DAY, NOW, fleet

MIDNIGHT = NOW - NOW % DAY


def table(one: Fleet, key: str) -> tuple[tuple[str, ...], tuple[tuple[object, ...], ...]]:
    (found,) = [each for each in numbers(one) if each.key == key]
    return found.head, found.rows


def test_a_jobs_gpu_hours_count_for_the_days_on_which_it_ran() -> None:
    job = JobNow("a", "1", None, "succeeded", 0, MIDNIGHT - 26 * 3600, MIDNIGHT - 23 * 3600, (0, 1))
    live = JobNow("b", "2", None, "running", None, MIDNIGHT + 3600, None, (3,))
    waits = JobNow("b", "3", None, "queued")
    head, rows = table(Fleet(MIDNIGHT + 2 * 3600, jobs=(job, live, waits)), "gpu")
    assert head == ("UTC", "a", "b")
    assert [row[1:] for row in rows] == [(4.0, None), (2.0, None), (None, 1.0)]


def test_each_day_has_what_runs_came_to_and_what_drifted() -> None:
    def came(at: float, *outcomes: str) -> RunSeen:
        return RunSeen(str(at), "up", "up", at, hosts=tuple(Outcome(str(n), one) for n, one in enumerate(outcomes)))

    runs = (
        came(MIDNIGHT - 3 * DAY, "converged", "failed"),
        came(MIDNIGHT - 60, "converged"),
        came(MIDNIGHT - 400 * DAY, "x"),
    )
    events = (Event(MIDNIGHT - 90, "a", "drift", "x"), Event(MIDNIGHT - 90, "a", "fact", "x"))
    head, rows = table(Fleet(NOW, runs=runs, events=events), "outcomes")
    assert head == ("UTC", "converged", "drift", "failed")
    assert [row[1:] for row in rows] == [(1, None, 1), (None, None, None), (1, 1, None)]


def test_hosts_beyond_the_largest_few_are_drawn_as_one() -> None:
    jobs = tuple(
        JobNow(f"h{at}", "1", None, "succeeded", 0, MIDNIGHT - 3600 * at - 3600, MIDNIGHT, (0,)) for at in range(9)
    )
    head, rows = table(Fleet(NOW, jobs=jobs), "gpu")
    assert head == ("UTC", *(f"h{at}" for at in range(8, 1, -1)), OTHERS)
    assert rows[-1][-1] == 3.0


def test_a_week_has_the_median_of_each_step() -> None:
    steps = [StepTime("r", "a", MIDNIGHT - 600, "build", "build x", seconds, "done") for seconds in (1.0, 9.0, 2.0)]
    steps.append(StepTime("q", "a", MIDNIGHT - 600 - 14 * DAY, "build", "build y", 7.0, "done"))
    head, rows = table(Fleet(NOW, steps=tuple(steps)), "steps")
    assert head == ("UTC", "build")
    assert [row[1] for row in rows] == [7.0, 2.0]


def test_a_build_is_the_last_run_that_did_something_there() -> None:
    steps = (
        StepTime("old", "a", NOW - 90, "build", "build", 50.0, "done"),
        StepTime("new", "a", NOW - 60, "build", "build", 30.0, "done"),
        StepTime("new", "a", NOW - 50, "build", "build", 1.5, "done"),
        StepTime("plan", "a", NOW, "build", "build", 0.0, "pending"),
    )
    assert table(Fleet(NOW, steps=steps), "build") == (("host", "build"), (("a", 31.5),))


def test_only_hosts_where_something_happened_last_have_plots_of_their_own() -> None:
    hosts = tuple(HostNow(f"h{at}") for at in range(5))
    steps = tuple(StepTime("r", f"h{at}", NOW - at, "build", "build", 1.0, "done") for at in range(4))
    found = numbers(Fleet(NOW, hosts=hosts, steps=steps), 2)
    assert {one.host for one in found if one.host is not None} == {"h0", "h1"}


def test_without_matplotlib_there_are_the_numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    found = plots(fleet(3))
    assert found
    assert all(one.svg == "" and one.rows for one in found)


def test_a_drawing_has_no_style_no_script_and_no_name_of_another_one() -> None:
    found = plots(fleet(6), hosts=2)
    assert len(found) > 4
    names: list[str] = []
    for one in found:
        assert one.svg.startswith("<svg ")
        assert not re.search(r"<style|<script|\sstyle=|<!|\son\w+=|http", one.svg.replace("http://www.w3.org", ""))
        own = re.findall(r'\sid="([^"]+)"', one.svg)
        names += own
        assert set(re.findall(r'href="#([^"]+)"', one.svg)) <= set(own)
        assert set(re.findall(r"url\(#([^)]+)\)", one.svg)) <= set(own)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["<b onclick=x>", "$\\frac{1}{0}$", "长主机名", "a\x00b\ud800", "_hidden"])
def test_a_name_stays_text_in_a_drawing(name: str) -> None:
    one = fleet(1, weeks=1)
    steps = tuple(replace(step, host=name, task=name) for step in one.steps)
    found = plots(replace(one, hosts=(HostNow(name),), steps=steps, jobs=()))
    assert found
    for drawing in found:
        assert "<b" not in drawing.svg
        assert drawing.svg.isprintable() or "\n" in drawing.svg
