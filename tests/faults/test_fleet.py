"""Many hosts at once: a bad one is explained and never stops the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.events import HostFinished, StepOutput
from provision.model.host import Host
from provision.model.plan import Outcome
from tests.faults.aftermath import idle, works
from tests.lab.knobs import MIB

if TYPE_CHECKING:
    from provision.events import Emit
    from tests.end_to_end.laptop import Laptop
    from tests.faults.conftest import Size
    from tests.lab.lab import Lab


@pytest.mark.lab
@pytest.mark.timeout(900)
def test_of_many_hosts_two_are_broken_differently_and_the_others_are_done(lab: Lab, laptop: Laptop, size: Size) -> None:
    good = lab.fleet([f"h{number:02}" for number in range(size(6, 18))])
    small = lab.host("small", home_size=200 * MIB)
    closed = lab.host("closed", authorized=False)
    laptop.hosts([*good, small, closed])
    answer = laptop.type("up", "all", "--json", timeout=800)
    assert answer.code == 3, answer
    told = answer.document["hosts"]
    assert {told[host.name]["outcome"] for host in good} == {"changed"}
    assert told["small"]["outcome"] == "unfit"
    assert told["small"]["error"]["kind"] == "unfit"
    assert "GB free" in told["small"]["error"]["message"]
    assert told["closed"]["outcome"] == "unreachable"
    assert told["closed"]["error"]["kind"] == "authentication"
    assert answer.document["exit_code"] == 3
    for host in good:
        assert works(host)
        idle(host)
    again = laptop.type("up", "all", "!closed", "--json", timeout=400)
    assert again.code == 5, again
    assert {again.document["hosts"][host.name]["outcome"] for host in good} == {"converged"}


@pytest.mark.lab
@pytest.mark.timeout(300)
def test_fail_fast_begins_with_no_further_host_once_one_has_failed(lab: Lab, laptop: Laptop) -> None:
    closed = lab.host("closed", authorized=False)
    rest = lab.fleet(["h1", "h2"])
    laptop.hosts([closed, *rest])
    answer = laptop.type("up", "closed", "h1", "h2", "--forks", "1", "--fail-fast", "--json")
    assert answer.code == 3, answer
    told = answer.document["hosts"]
    assert told["closed"]["outcome"] == "unreachable"
    assert [told[host.name]["outcome"] for host in rest] == ["skipped", "skipped"]
    assert all(host.connections() == 0 for host in rest)


def hosts(count: int) -> tuple[Host, ...]:
    return tuple(Host(f"h{number}", "198.18.0.9") for number in range(count))


def test_a_worker_that_crashes_is_told_as_a_bug_and_stops_no_other_host() -> None:
    def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        if host.name == "h3":
            raise ZeroDivisionError("a bug of ours")
        emit(StepOutput("at work"))
        return Outcome.CHANGED, ()

    ends = {
        one.host: one.event
        for one in run_fleet(hosts(8), work, Stop(), forks=3, fail_fast=False)
        if isinstance(one.event, HostFinished)
    }
    assert ends["h3"].outcome is Outcome.CRASHED
    assert ends["h3"].failure is not None
    assert ends["h3"].failure.exit_code == 1
    assert "ZeroDivisionError: a bug of ours" in ends["h3"].failure.message
    assert [end.outcome for name, end in ends.items() if name != "h3"] == [Outcome.CHANGED] * 7


def test_a_host_that_prints_faster_than_we_show_waits_so_that_memory_stays_flat() -> None:
    from provision.engine import fleet

    ahead = 0
    shown = 0

    def work(_host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        nonlocal ahead
        for number in range(5 * fleet.BACKLOG):
            emit(StepOutput(str(number)))
            ahead = max(ahead, number - shown)
        return Outcome.CHANGED, ()

    lines = []
    for one in run_fleet(hosts(1), work, Stop(), forks=1, fail_fast=False):
        if isinstance(one.event, StepOutput):
            shown += 1
            lines.append(one.event.line)
    assert ahead <= fleet.BACKLOG + 10
    assert lines == [str(number) for number in range(5 * fleet.BACKLOG)]


def test_a_host_that_does_not_answer_is_given_up_soon_after_the_second_request_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threading

    from provision.engine import fleet

    monkeypatch.setattr(fleet, "ABANDON", 0.3)
    hang = threading.Event()
    stop = Stop()

    def work(_host: Host, _emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        stop.ask()
        stop.ask()
        hang.wait(60)
        return Outcome.CHANGED, ()

    events = list(run_fleet(hosts(2), work, stop, forks=2, fail_fast=False))
    hang.set()
    ends = [one.event for one in events if isinstance(one.event, HostFinished)]
    assert len(ends) == 2
    assert {end.outcome for end in ends} <= {Outcome.INTERRUPTED, Outcome.SKIPPED}
    assert all(end.failure is not None and end.failure.exit_code == 130 for end in ends)
