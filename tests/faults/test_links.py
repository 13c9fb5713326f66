"""Links that are cut, reset, frozen or killed in the middle: what runs on the host goes on, once, and is followed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from provision.errors import UnreachableError
from provision.events import LinkLost
from provision.ssh import link, profile
from tests.faults.aftermath import gets_there, whole
from tests.faults.inside import Inside, only_command
from tests.lab.machine import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.laptop import Laptop
    from tests.faults.conftest import Size
    from tests.faults.typed import Typed
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("own_home"), pytest.mark.timeout(500)]

COUNT = "i=0; while [ $i -lt {lines} ]; do echo counted $i; i=$((i+1)); sleep 0.05; done; echo once >>~/ran"


def counting(laptop: Laptop, lines: int) -> None:
    """Ask for a step that prints numbered lines and leaves a mark each time it runs."""
    only_command(laptop, COUNT.format(lines=lines), creates="~/ran")


def exactly_once(box: LabHost, run: Typed, lines: int) -> None:
    seen = [line.split()[-1] for line in run.lines if line.strip().startswith("counted ")]
    assert seen == [str(number) for number in range(lines)]
    assert box.run(f"cat {box.home}/ran").stdout == "once\n"


def disturbances(box: LabHost) -> dict[str, Callable[[], None]]:
    def cut() -> None:
        box.cut()
        threading.Timer(4, box.heal).start()

    def kill_sessions() -> None:
        box.run("pkill -KILL -u root -x sshd-session; pkill -KILL -f '^sshd: ubuntu'")

    def stop_and_start() -> None:
        box.stop_sshd()
        box.reset_connections()
        threading.Timer(4, box.start_sshd).start()

    return {
        "cut": cut,
        "reset": box.reset_connections,
        "sessions killed": kill_sessions,
        "sshd restarted": stop_and_start,
    }


@pytest.mark.parametrize("how", ["cut", "reset", "sessions killed", "sshd restarted"])
def test_a_disturbed_link_loses_no_line_and_does_nothing_twice(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed], how: str
) -> None:
    lines = 200
    box = lab.host("box")
    laptop.hosts([box])
    counting(laptop, lines)
    run = typed("up", "-v")
    run.until("counted 20$")
    disturbances(box)[how]()
    assert run.wait() == 0, run.text
    exactly_once(box, run, lines)
    wait_until(lambda: not box.processes(), f"left: {box.processes()}")


def test_connections_that_are_reset_again_and_again_only_cost_time(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed], size: Size
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    run = typed("up", "-v")
    ended = threading.Event()

    def disturb() -> None:
        for _ in range(size(6, 40)):
            if ended.wait(1.3):
                return
            box.reset_connections()

    thread = threading.Thread(target=disturb)
    thread.start()
    code = run.wait()
    ended.set()
    thread.join()
    assert code in {0, 3}, run.text
    assert "crashed" not in run.text
    assert "Traceback" not in run.text
    gets_there(laptop, box)


@pytest.mark.parametrize(
    "step",
    [
        "download ",
        "install Miniconda",
        pytest.param("check ", marks=pytest.mark.soak),
        "build ",
        pytest.param("read back ", marks=pytest.mark.soak),
        "import what ",
        pytest.param("make ", marks=pytest.mark.soak),
    ],
)
def test_a_reset_at_each_kind_of_step_is_survived_by_the_same_run(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed], step: str
) -> None:
    box = lab.host("box", latency_ms=40)
    laptop.hosts([box])
    run = typed("up", "-v")
    run.until(rf"\] {step}")
    box.reset_connections()
    assert run.wait() == 0, run.text
    whole(laptop, box)


def test_a_link_that_is_lost_for_good_ends_the_run_with_the_step_told_as_left(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "RECONNECT_SECONDS", 5.0)
    monkeypatch.setattr(profile, "HEARTBEAT", 1.0)
    monkeypatch.setattr(profile, "SILENCE", 4.0)
    monkeypatch.setattr(profile, "CONNECT", 2.0)
    box = lab.host("box")
    inside = Inside(box, "echo begun; sleep 20")
    inside.on("begun", box.cut)
    with pytest.raises(UnreachableError) as told:
        inside.run()
    box.heal()
    assert told.value.exit_code == 3
    assert "the link was lost and did not come back" in told.value.message
    assert "follows it to its end" in str(told.value.hint)
    assert [name for name in inside.converger.left if "command" in name or "sleep" in name]


def test_a_frozen_host_is_noticed_within_the_promised_time_and_followed_when_it_thaws(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, size: Size
) -> None:
    from provision.ssh import profile

    assert profile.SILENCE + profile.HEARTBEAT <= 45
    monkeypatch.setattr(profile, "HEARTBEAT", size(1.0, profile.HEARTBEAT))
    monkeypatch.setattr(profile, "SILENCE", size(4.0, profile.SILENCE))
    promised = size(20, 45)
    box = lab.host("box")
    inside = Inside(box, "echo begun; sleep 3; echo ended")
    inside.on("begun", box.freeze)
    inside.on(LinkLost, box.thaw)
    assert inside.run().value == "changed"
    assert inside.at(LinkLost) - inside.at("begun") < promised
    assert [line for line in inside.lines if line in {"begun", "ended"}] == ["begun", "ended"]
