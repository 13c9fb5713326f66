"""One run at a time on a host: others are told who holds it, or wait; a dead holder never keeps it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from provision.engine.fleet import OUTCOMES
from provision.errors import BusyError
from provision.events import StepFinished, Waiting
from provision.remote import catalogue
from provision.ssh import profile
from tests.faults.aftermath import faults, idle, whole
from tests.faults.inside import Inside, only_command
from tests.lab.machine import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.laptop import Laptop
    from tests.faults.conftest import Size
    from tests.faults.typed import Typed
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400), pytest.mark.usefixtures("own_home")]


def lease_is_free(box: LabHost) -> bool:
    return box.run(f"flock -n {box.home}/.provision/lease true").returncode == 0


def test_a_second_run_is_told_who_holds_the_host_and_one_that_waits_gets_it(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    faults(box, sleep_at="installer:early", seconds=10, times=1)
    first = typed("up", "-v", USER="alice")
    first.until("Unpacking payload")
    second = laptop.type("up", "--json")
    assert second.code == 6, second
    told = second.document["hosts"]["box"]
    assert told["outcome"] == "busy"
    assert "alice@" in told["error"]["message"]
    third = typed("up", "-v", "--wait")
    third.until("waiting: held by alice@")
    assert first.wait() == 0, first.text
    assert third.wait() == 0, third.text
    assert "Unpacking payload" not in third.text
    whole(laptop, box)


def test_runs_that_start_at_the_same_moment_do_the_work_once(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed], size: Size
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    runs = [typed("up", "-v", "--wait") for _ in range(size(2, 4))]
    codes = [run.wait() for run in runs]
    assert codes == [0] * len(runs), "\n\n".join(run.text for run in runs)
    assert sum(run.text.count("Unpacking payload") for run in runs) == 1
    whole(laptop, box)


def test_the_lease_of_a_killed_run_is_free_within_seconds(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    only_command(laptop, "echo begun; sleep 12; echo ended")
    run = typed("up", "-v")
    run.until("    begun")
    assert not lease_is_free(box)
    run.kill()
    wait_until(lambda: lease_is_free(box), "the lease is still held", 10)
    again = typed("up", "-v")
    again.until("a step of an earlier run is still at work")
    assert again.wait() == 0, again.text
    assert again.text.count("    begun") == 2, "followed from its first line, then run anew, for nothing says it ran"
    idle(box)


@pytest.mark.soak
def test_the_lease_of_a_stopped_client_is_free_after_a_minute_and_its_step_is_still_guarded(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    faults(box, sleep_at="installer:early", seconds=100, times=1)
    first = typed("up", "-v")
    first.until("Unpacking payload")
    first.signal(signal.SIGSTOP)
    began = time.monotonic()
    second = typed("up", "-v", "--wait")
    second.until("a step of an earlier run is still at work", 120)
    assert time.monotonic() - began < catalogue.LEASE_SILENCE + 30
    first.signal(signal.SIGCONT)
    assert second.wait(200) == 0, second.text
    assert first.wait() in {0, 3, 6}, first.text
    whole(laptop, box)


def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a lease end itself after two seconds of silence."""
    monkeypatch.setattr(catalogue, "LEASE_SILENCE", 2)
    monkeypatch.setattr(profile, "HEARTBEAT", 0.5)


def test_a_run_that_lost_its_lease_takes_it_again_and_goes_on_where_nobody_else_held_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_leases(monkeypatch)
    box = lab.host("box")
    inside = Inside(box, "echo ran")
    inside.on("ran", lambda: end_the_lease(box))
    assert inside.run().value == "changed"
    assert inside.lines.count("ran") == 1
    idle(box)


def test_a_run_that_lost_its_lease_looks_anew_where_another_run_held_the_host_in_between(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_leases(monkeypatch)
    box = lab.host("box")
    inside = Inside(box, "echo ran; sleep 2")

    def come_and_go() -> None:
        end_the_lease(box)
        box.run("echo 'bob@elsewhere (up, run 2)' >/home/ubuntu/.provision/lease.holder")

    inside.on("ran", come_and_go)
    assert inside.run().value == "changed"
    assert inside.count["Probed"] > 3, "at first, held, after the other run, in the end"
    idle(box)


def end_the_lease(box: LabHost) -> None:
    box.run(f"fuser -k -KILL {box.home}/.provision/lease")
    wait_until(lambda: lease_is_free(box), "the lease is still held")


def test_a_run_that_lost_its_lease_to_another_one_stops_before_its_next_step(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_leases(monkeypatch)
    box = lab.host("box")
    box.run(
        "mkdir -p /home/ubuntu/.provision; chown ubuntu: /home/ubuntu/.provision; chmod 700 /home/ubuntu/.provision"
    )
    inside = Inside(box, "echo ran; sleep 1")

    def rob() -> None:
        end_the_lease(box)
        box.run("echo bob@elsewhere >/home/ubuntu/.provision/lease.holder")
        box.run("setsid flock /home/ubuntu/.provision/lease sleep 8 </dev/null >/dev/null 2>&1 &")
        wait_until(lambda: not lease_is_free(box), "nobody took it")

    inside.on("ran", rob)
    with pytest.raises(BusyError, match="bob@elsewhere") as told:
        inside.run()
    assert OUTCOMES[told.value.kind].value == "busy"
    assert inside.converger.left
    assert inside.count["StepFinished"] == 1
    idle(box)


def test_a_run_whose_link_breaks_while_it_waits_for_its_turn_keeps_waiting(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    only_command(laptop, "echo begun; sleep 6", creates="/nonexistent")
    box.run("mkdir -m 700 -p /home/ubuntu/.provision; chown ubuntu: /home/ubuntu/.provision")
    box.run("touch /home/ubuntu/.provision/lease; chmod 666 /home/ubuntu/.provision/lease")
    box.run("setsid flock /home/ubuntu/.provision/lease sleep 8 </dev/null >/dev/null 2>&1 &")
    only_command(laptop, "echo begun")
    run = typed("up", "-v", "--wait")
    run.until("waiting: held by")
    box.reset_connections()
    assert run.wait() == 0, run.text
    idle(box)


def test_processes_that_a_step_left_behind_are_named_instead_of_waited_for_without_end(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provision.engine import settle

    monkeypatch.setattr(settle, "LEFTOVER_SECONDS", 3.0)
    box = lab.host("box")
    box.run(
        "d=/home/ubuntu/.provision; mkdir -m 700 -p $d/steps/old; : >$d/steps/old/ready; echo was >$d/steps/old/log; "
        "echo 0 >$d/steps/old/code; echo old >$d/step; : >$d/step.lock; "
        "setsid flock $d/step.lock sleep 40 </dev/null >/dev/null 2>&1 &",
        user="ubuntu",
    )
    wait_until(lambda: len(box.processes()) > 0, "no daemon")
    inside = Inside(box, "echo ran")
    with pytest.raises(BusyError, match="processes that it started still run"):
        inside.run()
    assert inside.count["Probed"] < 10
    assert Waiting.__name__ in inside.count
    assert StepFinished.__name__ not in inside.count
    box.run("fuser -k /home/ubuntu/.provision/step.lock")
    idle(box)
