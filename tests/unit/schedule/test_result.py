"""What a run came to: each thing is told once, and nobody's fault is no failure."""

from __future__ import annotations

from typing import Any

from provision.cli.schedule_result import Printed, Result, result
from provision.cli.schedule_store import Past
from tests.unit.schedule.made import schedule

DRIFT = {"code": "ENV-DRIFT", "message": "numpy was removed"}


def came(past: Past, host: dict[str, Any], code: int = 0) -> Result:
    return result(schedule(), past, Printed({"box": host}, code), 5000.0)


def after(one: Result) -> Past:
    return Past(0.0, outcome=one.outcome, failing=one.failing, drifting=one.drifting)


def kinds(one: Result) -> list[str]:
    return [notice.kind for notice in one.notices]


def test_thirty_failures_are_told_once_and_so_is_the_recovery() -> None:
    past, told = Past(0.0), []
    for _ in range(30):
        one = came(past, {"outcome": "unreachable", "error": {"kind": "network", "message": "no answer"}}, 3)
        assert (one.outcome, one.exit_code) == ("failed", 3)
        told += kinds(one)
        past = after(one)
    assert told == ["failure"]
    assert past.failing["box"].times == 30
    good = came(past, {"outcome": "converged"})
    assert (kinds(good), good.outcome, good.failing) == (["recovery"], "ok", {})
    assert kinds(came(after(good), {"outcome": "converged"})) == []


def test_a_host_that_is_stopped_on_purpose_or_busy_is_no_failure() -> None:
    for host in ({"outcome": "unreachable", "error": {"kind": "stopped", "message": "stopped"}}, {"outcome": "busy"}):
        one = came(Past(0.0), host, 3)
        assert (one.outcome, one.exit_code, kinds(one)) == ("ok", 0, [])


def test_a_stopped_host_neither_recovers_nor_is_forgotten() -> None:
    failing = came(Past(0.0), {"outcome": "failed", "error": {"message": "no space"}}, 4)
    stopped = came(after(failing), {"outcome": "unreachable", "error": {"kind": "stopped"}}, 3)
    assert (kinds(stopped), stopped.failing) == ([], failing.failing)


def test_drift_is_told_once_until_it_is_gone() -> None:
    drifted = {"outcome": "converged", "findings": [DRIFT]}
    first = came(Past(0.0), drifted, 7)
    assert (first.outcome, first.exit_code, kinds(first)) == ("drift", 7, ["drift"])
    assert kinds(came(after(first), drifted, 7)) == []
    gone = came(after(first), {"outcome": "converged", "findings": []})
    assert gone.drifting == ()
    assert kinds(came(after(gone), drifted, 7)) == ["drift"]


def test_a_repair_of_drift_is_told_and_over() -> None:
    step = {"name": "environment", "reason": "numpy was removed by hand"}
    one = came(Past(0.0), {"outcome": "changed", "steps": [step]})
    assert (one.outcome, kinds(one), one.drifting) == ("ok", ["drift"], ())
    assert one.notices[0].text.startswith("repaired: ")


def test_hosts_that_were_left_alone_keep_what_is_known_of_them() -> None:
    failing = came(Past(0.0), {"outcome": "failed", "error": {"message": "no space"}}, 4)
    one = result(schedule(), after(failing), Printed({}, 0, {"box": "left alone"}), 6000.0)
    assert (one.failing, one.text, one.exit_code) == (failing.failing, "1 left alone", 0)
