"""Things that die on the host in the middle of a step: the run says so, the next one gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.aftermath import current, faults, gets_there, idle, works

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.laptop import Laptop
    from tests.faults.typed import Typed
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]
soak = pytest.mark.soak


def kill_everything_of_the_user(box: LabHost) -> None:
    """End all that the login user runs, sessions included, as the kernel does when memory is gone."""
    box.run(["sh", "-c", "for one in /proc/[0-9]*; do [ -O $one ] || echo ${one#/proc/}; done | xargs -r kill -9"])


@pytest.mark.parametrize(
    ("point", "signal"),
    [
        pytest.param("installer:early", "KILL", marks=soak),
        ("installer:half", "KILL"),
        pytest.param("installer:half", "TERM", marks=soak),
        pytest.param("installer:end", "KILL", marks=soak),
        pytest.param("solve", "KILL", marks=soak),
        pytest.param("download:2", "KILL", marks=soak),
        pytest.param("link:1", "KILL", marks=soak),
        ("link:2", "KILL"),
        pytest.param("link:2", "HUP", marks=soak),
        pytest.param("before-history", "KILL", marks=soak),
        pytest.param("after-history", "KILL", marks=soak),
    ],
)
def test_what_is_killed_on_the_host_fails_its_step_and_the_next_run_gets_there(
    lab: Lab, laptop: Laptop, point: str, signal: str
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    faults(box, kill_at=point, signal=signal, times=1)
    failed = laptop.type("up")
    assert failed.code == 4, failed
    idle(box)
    gets_there(laptop, box)


@pytest.mark.parametrize("point", ["extract-half:1", pytest.param("extract:2", marks=soak)])
def test_a_package_cache_poisoned_by_a_kill_is_cured_and_the_build_tried_again_by_itself(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed], point: str
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    faults(box, kill_at=point, times=1)
    failed = laptop.type("up")
    assert failed.code == 4, failed
    again = typed("up", "-v")
    assert again.wait() == 0, again.text
    assert "the package cache is damaged" in again.text
    gets_there(laptop, box, outcomes=("converged",))


@pytest.mark.parametrize("point", ["installer:half", pytest.param("link:1", marks=soak)])
def test_a_step_that_is_killed_as_a_whole_is_told_as_killed_and_taken_up_by_the_next_run(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed], point: str
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    faults(box, sleep_at=point, seconds=20, times=1)
    run = typed("up", "-v")
    run.until("Unpacking payload" if "installer" in point else "Verifying transaction")
    kill_everything_of_the_user(box)
    assert run.wait() == 4, run.text
    assert "it was killed on the host, or the machine restarted" in run.text
    idle(box)
    gets_there(laptop, box)


@pytest.mark.parametrize("point", ["link:1", pytest.param("installer:half", marks=soak)])
def test_a_reboot_in_the_middle_of_a_step_is_survived(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed], point: str
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    assert laptop.type("up").code == 0 or point.startswith("installer")
    before = current(box)
    laptop.environment_yml("python", "pip", "standin-alpha=2")
    if point.startswith("installer"):
        box.run("rm -rf /home/ubuntu/miniconda3")
    faults(box, sleep_at=point, seconds=20, times=1)
    run = typed("up", "-v")
    run.until("Unpacking payload" if "installer" in point else "Verifying transaction")
    box.reboot()
    assert run.wait() == 4, run.text
    assert "killed on the host, or the machine restarted" in run.text
    assert current(box) == before
    assert works(box)
    gets_there(laptop, box)
