"""Many hosts at once: every host has its end, whatever becomes of its worker."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.engine import fleet
from provision.engine.converge import Converger, Goal
from provision.engine.fleet import run_fleet
from provision.engine.stop import Stop
from provision.errors import (
    AuthenticationError,
    BusyError,
    HostKeyError,
    InterruptedRunError,
    LinkLostError,
    ProvisionError,
    StepFailedError,
    UnfitError,
    UnreachableError,
)
from provision.events import HostFinished, HostStarted, Note, StepFinished, StepStarted
from provision.model.host import Host
from provision.model.plan import Outcome
from tests.unit.engine.model_host import STATE, ModelHost
from tests.unit.engine.model_link import ModelLink
from tests.unit.engine.situations import HOLDER, playbook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.events import Emit, HostEvent

ENDS: dict[str, tuple[BaseException | Outcome, Outcome, int | None]] = {
    "converged": (Outcome.CONVERGED, Outcome.CONVERGED, None),
    "changed": (Outcome.CHANGED, Outcome.CHANGED, None),
    "network": (UnreachableError("no answer"), Outcome.UNREACHABLE, 3),
    "login": (AuthenticationError("no key"), Outcome.UNREACHABLE, 3),
    "host key": (HostKeyError("another key"), Outcome.UNREACHABLE, 3),
    "link": (LinkLostError("lost"), Outcome.UNREACHABLE, 3),
    "step": (StepFailedError("exit code 1"), Outcome.FAILED, 4),
    "unfit": (UnfitError("no GPU"), Outcome.UNFIT, 5),
    "busy": (BusyError("held"), Outcome.BUSY, 6),
    "interrupted": (InterruptedRunError("stopped"), Outcome.INTERRUPTED, 130),
    "bug": (ZeroDivisionError("division by zero"), Outcome.CRASHED, 1),
    "a bug that is a key": (KeyError("tasks"), Outcome.CRASHED, 1),
    "exit": (ProvisionError("own bug"), Outcome.CRASHED, 1),
}


def hosts(names: Iterable[str]) -> list[Host]:
    return [Host(name, "192.0.2.1") for name in names]


def finished(events: Iterable[HostEvent]) -> dict[str, HostFinished]:
    found: dict[str, HostFinished] = {}
    for one in events:
        assert one.host not in found, f"an event of {one.host} after its end"
        if isinstance(one.event, HostFinished):
            found[one.host] = one.event
    return found


def test_every_end_has_its_outcome_and_exit_code_and_never_stops_the_others() -> None:
    def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        emit(Note(host.name))
        end = ENDS[host.name][0]
        if isinstance(end, Outcome):
            return end, ()
        raise end

    ends = finished(run_fleet(hosts(ENDS), work, Stop(), forks=4, fail_fast=False))
    assert set(ends) == set(ENDS)
    for name, (_, outcome, code) in ENDS.items():
        failure = ends[name].failure
        assert (name, ends[name].outcome, failure.exit_code if failure else None) == (name, outcome, code)


def test_a_crashed_worker_brings_its_trace_and_asks_for_a_report() -> None:
    def work(_host: Host, _emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        raise ZeroDivisionError("division by zero")

    failure = finished(run_fleet(hosts("a"), work, Stop(), forks=1, fail_fast=False))["a"].failure
    assert failure is not None
    assert failure.message == "ZeroDivisionError: division by zero"
    assert failure.detail is not None
    assert "test_fleet.py" in failure.detail
    assert failure.hint is not None
    assert "report" in failure.hint


@settings(deadline=None, max_examples=30)
@given(
    ends=st.lists(st.sampled_from(sorted(ENDS)), min_size=1, max_size=12),
    forks=st.integers(1, 6),
    fail_fast=st.booleans(),
    notes=st.integers(0, 3),
)
def test_each_host_has_one_beginning_and_one_end_in_order(
    ends: list[str], forks: int, fail_fast: bool, notes: int
) -> None:
    names = [f"{number}:{end}" for number, end in enumerate(ends)]

    def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        for number in range(notes):
            emit(Note(str(number)))
        end = ENDS[host.name.partition(":")[2]][0]
        if isinstance(end, Outcome):
            return end, ()
        raise end

    events = list(run_fleet(hosts(names), work, Stop(), forks=forks, fail_fast=fail_fast))
    assert set(finished(events)) == set(names)
    for name in names:
        own = [one.event for one in events if one.host == name]
        if isinstance(own[-1], HostFinished) and own[-1].outcome is Outcome.SKIPPED:
            assert len(own) == 1
            continue
        assert [type(one) for one in own] == [HostStarted, *[Note] * notes, HostFinished]
        assert [one.text for one in own if isinstance(one, Note)] == [str(number) for number in range(notes)]


@pytest.mark.parametrize(("forks", "count", "most"), [(1, 5, 1), (3, 9, 3), (32, 4, 4)])
def test_at_most_so_many_hosts_are_worked_on_at_once(forks: int, count: int, most: int) -> None:
    lock = threading.Lock()
    now, seen = [0], [0]
    together = threading.Barrier(most)

    def work(_host: Host, _emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        with lock:
            now[0] += 1
            seen[0] = max(seen[0], now[0])
        if int(_host.name) < most:
            together.wait(10)  # the first ones are all there at once, or this fails
        with lock:
            now[0] -= 1
        return Outcome.CONVERGED, ()

    ends = finished(run_fleet(hosts(map(str, range(count))), work, Stop(), forks=forks, fail_fast=False))
    assert len(ends) == count
    assert seen[0] == most


def test_fail_fast_skips_what_has_not_begun_and_lets_the_present_ones_end() -> None:
    begun: list[str] = []
    release = threading.Event()

    def work(host: Host, _emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        begun.append(host.name)
        if host.name == "bad":
            raise StepFailedError("no")
        release.wait(10)
        return Outcome.CHANGED, ()

    ends = {}
    for one in run_fleet(hosts(["slow", "bad", "c", "d"]), work, Stop(), forks=2, fail_fast=True):
        if isinstance(one.event, HostFinished):
            ends[one.host] = one.event
            release.set()
    assert {name: end.outcome for name, end in ends.items()} == {
        "slow": Outcome.CHANGED,
        "bad": Outcome.FAILED,
        "c": Outcome.SKIPPED,
        "d": Outcome.SKIPPED,
    }
    assert sorted(begun) == ["bad", "slow"]


def test_without_fail_fast_a_failure_skips_nobody() -> None:
    def work(host: Host, _emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        if host.name == "a":
            raise StepFailedError("no")
        return Outcome.CHANGED, ()

    ends = finished(run_fleet(hosts("abc"), work, Stop(), forks=1, fail_fast=False))
    assert [ends[name].outcome for name in "abc"] == [Outcome.FAILED, Outcome.CHANGED, Outcome.CHANGED]


def test_a_stop_before_the_beginning_skips_every_host() -> None:
    stop = Stop()
    stop.ask()
    ends = finished(run_fleet(hosts("abc"), lambda *_: (Outcome.CHANGED, ()), stop, forks=2, fail_fast=False))
    assert {end.outcome for end in ends.values()} == {Outcome.SKIPPED}


def test_a_host_that_never_answers_is_abandoned_after_the_second_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "ABANDON", 0.1)
    release, stop = threading.Event(), Stop()

    def work(host: Host, _emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        if host.name == "frozen":
            stop.ask()
            stop.ask()
            release.wait(20)
        return Outcome.CONVERGED, ()

    began = time.monotonic()
    ends = finished(run_fleet(hosts(["frozen"]), work, stop, forks=1, fail_fast=False))
    release.set()
    assert time.monotonic() - began < 10
    assert ends["frozen"].outcome is Outcome.INTERRUPTED
    failure = ends["frozen"].failure
    assert failure is not None
    assert failure.exit_code == 130
    assert "may still run there" in failure.message


def test_whatever_breaks_after_the_second_stop_is_told_as_the_interruption() -> None:
    stop = Stop()

    def work(_host: Host, _emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        stop.ask()
        stop.ask()
        error = LinkLostError("the socket was closed under us")
        error.left = ("build",)
        raise error

    end = finished(run_fleet(hosts("a"), work, stop, forks=1, fail_fast=False))["a"]
    assert (end.outcome, end.left) == (Outcome.INTERRUPTED, ("build",))


def test_a_fleet_of_hosts_in_memory_ends_each_as_its_own_state_asks() -> None:
    states = {
        "fresh": ModelHost(),
        "full": ModelHost(free=1 << 20),
        "busy": ModelHost(holder="eve"),
        "broken": ModelHost(breaks={"build_environment.sh": (10, "Unsatisfiable")}),
    }

    def work(host: Host, emit: Emit) -> tuple[Outcome, tuple[str, ...]]:
        goal = Goal("up", playbook(), STATE, "~/work", HOLDER)
        return Converger(goal, lambda: ModelLink(states[host.name]), emit, Stop()).run(), ()

    events = list(run_fleet(hosts(states), work, Stop(), forks=4, fail_fast=False))
    assert {name: end.outcome for name, end in finished(events).items()} == {
        "fresh": Outcome.CHANGED,
        "full": Outcome.UNFIT,
        "busy": Outcome.BUSY,
        "broken": Outcome.FAILED,
    }
    for name in states:
        steps = [one.event for one in events if one.host == name]
        assert sum(isinstance(one, StepStarted) for one in steps) == sum(isinstance(one, StepFinished) for one in steps)
