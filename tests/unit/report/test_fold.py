from __future__ import annotations

from provision.events import HostEvent, HostStarted, StepFinished, StepOutput, StepStarted
from provision.model.plan import Outcome
from provision.report.fold import Report, fold
from tests.unit.report.streams import (
    BLOCKED,
    BUILD,
    CHECK,
    INSTALL,
    NOTHING_LEFT,
    OLD_DRIVER,
    SWITCH,
    changed,
    converged,
    failed,
    pending,
    timed,
)


def test_a_host_is_crashed_until_its_last_event() -> None:
    report = Report("up", ["a"])
    seen = [report.hosts["a"].outcome]
    for one in timed({"a": changed("a")}):
        assert not report.hosts["a"].good
        report.take(one)
        seen.append(report.hosts["a"].outcome)
    assert set(seen[:-1]) == {Outcome.CRASHED}
    assert seen[-1] is Outcome.CHANGED
    assert report.hosts["a"].good


def test_hosts_keep_the_order_in_which_they_were_asked_for() -> None:
    report = fold("up", ["z", "a"], timed({"a": converged("a"), "z": converged("z")}))
    assert list(report.hosts) == ["z", "a"]


def test_steps_are_those_that_began_and_the_plan_is_the_first() -> None:
    host = fold("up", ["a"], timed({"a": changed("a")})).hosts["a"]
    assert host.planned == (INSTALL, BUILD, CHECK, SWITCH)
    assert [(one.step, one.seconds, one.ok) for one in host.steps] == [
        (INSTALL, 3.0, True),
        (BUILD, 75.2, True),
        (CHECK, 2.0, True),
        (SWITCH, 0.1, True),
    ]
    assert [one.step for one in host.changes] == [INSTALL, BUILD, SWITCH]
    assert host.notes == ["host key SHA256:abc accepted and recorded"]


def test_steps_are_numbered_on_across_the_rounds_of_a_host() -> None:
    host = fold("up", ["a"], timed({"a": changed("a")})).hosts["a"]
    assert [(one.number, one.total) for one in host.steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_round_that_finds_more_to_do_raises_the_total_and_never_the_clock_back() -> None:
    rounds = [(BUILD, 1, 3), (CHECK, 1, 4), (INSTALL, 2, 4)]
    report = Report("up", ["a"])
    for step, number, total in rounds:
        report.take(HostEvent("a", 1.0, StepStarted(step, number, total)))
        report.take(HostEvent("a", 2.0, StepFinished(step, 1.0, ok=True)))
    assert [(one.number, one.total) for one in report.hosts["a"].steps] == [(1, 3), (2, 5), (3, 5)]


def test_a_failed_step_is_no_change() -> None:
    host = fold("up", ["a"], timed({"a": failed("a")})).hosts["a"]
    assert host.changes == []
    assert host.left == (BUILD.name, CHECK.name, SWITCH.name)
    assert host.error is not None
    assert host.error.exit_code == 4


def test_a_plan_keeps_what_speaks_against_it_beside_the_judgement() -> None:
    plan = fold("plan", ["a"], timed({"a": pending("a", BLOCKED, OLD_DRIVER, NOTHING_LEFT)}))
    assert plan.hosts["a"].findings == (NOTHING_LEFT, OLD_DRIVER)
    run = fold("up", ["a"], timed({"a": pending("a", BLOCKED, OLD_DRIVER)}))
    assert run.hosts["a"].findings == (OLD_DRIVER,)


def test_the_current_step_and_its_last_line_are_known_while_it_works() -> None:
    report = Report("up", ["a"])
    for one in timed({"a": changed("a")})[:8]:
        report.take(one)
    host = report.hosts["a"]
    assert host.current is not None
    assert host.current.step is INSTALL
    assert host.last_line == "unpacking"


def test_an_event_of_an_unasked_host_is_not_lost() -> None:
    report = Report("up", [])
    report.take(HostEvent("late", 5.0, HostStarted("late (x)")))
    report.take(HostEvent("late", 7.5, StepOutput("x")))
    assert report.hosts["late"].seconds == 2.5


def test_a_host_that_was_not_begun_took_no_time() -> None:
    assert Report("up", ["a"]).hosts["a"].seconds == 0.0
