"""Missed runs become one; windows hold; what never runs is refused."""

from __future__ import annotations

from typing import Any

import pytest

from provision.errors import UsageError
from provision.schedule.backoff import FIRST, MOST, Failing, failed, left_alone
from provision.schedule.decide import check, decide, next_begin
from provision.schedule.record import document, schedule_of
from provision.schedule.window import own_delay, parse_window
from tests.unit.schedule.made import at, schedule


def test_many_missed_runs_are_one() -> None:
    decision = decide(schedule(), at("2027-01-01T03:30"), at("2027-01-09T12:00"), own_jitter=False)
    assert (decision.kind, decision.due, decision.missed) == ("run", at("2027-01-09T03:30"), 7)
    assert decision.due is not None
    assert decide(schedule(), decision.due, at("2027-01-09T12:00"), own_jitter=False).kind == "not-due"


def test_a_missed_run_waits_for_its_window() -> None:
    nightly = schedule(window=parse_window("22:00-06:00"))
    decision = decide(nightly, at("2027-01-01T03:30"), at("2027-01-02T12:00"), own_jitter=False)
    assert (decision.kind, decision.begin) == ("outside", at("2027-01-02T22:00"))
    assert next_begin(nightly, at("2027-01-01T03:30"), at("2027-01-02T12:00")) == at("2027-01-02T22:00")
    assert decide(nightly, at("2027-01-01T03:30"), at("2027-01-02T22:00"), own_jitter=False).kind == "run"


def test_the_own_jitter_is_waited_for_and_always_the_same() -> None:
    nightly = schedule(jitter=1200)
    delay = own_delay("nightly", 1200)
    assert 0 <= delay < 1200
    due = at("2027-01-02T03:30")
    decision = decide(nightly, due - 86400, due, own_jitter=True)
    assert decision.begin == due + delay
    assert decide(nightly, due - 86400, due + delay, own_jitter=True).kind == "run"


@pytest.mark.parametrize(
    ("expression", "more"),
    [
        ("2020-01-01 00:00", {}),
        ("12:00", {"window": parse_window("01:00-06:00")}),
        ("05:50", {"window": parse_window("01:00-06:00"), "jitter": 1200}),
        ("05:50", {"jitter": 2 * 86400}),
    ],
)
def test_what_could_never_run_as_asked_is_refused(expression: str, more: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        check(schedule(expression, **more), at("2027-01-01T00:00"))


def test_a_schedule_is_read_back_as_it_was_kept() -> None:
    made = schedule(window=parse_window("01:00-06:00"), files={"/a": "b"})
    plain = document(made)
    assert schedule_of({**plain, "hosts": list(plain["hosts"])}) == made
    with pytest.raises(ValueError, match="damaged"):
        schedule_of({**plain, "busy": "perhaps"})


def test_a_host_that_keeps_failing_is_left_alone_for_longer_and_longer() -> None:
    past: Failing | None = None
    pauses = []
    for _ in range(12):
        past = failed(past, 1000.0)
        pauses.append(past.until - 1000.0)
    assert pauses[:4] == [0, 0, FIRST, 2 * FIRST]
    assert pauses[-1] == MOST
    assert left_alone(past, 1000.0)
    assert past is not None
    assert not left_alone(past, past.until)
    assert not left_alone(past, -MOST)
