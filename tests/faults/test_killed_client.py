"""SIGKILL of `provision` at every step boundary and inside each step: the next run gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.aftermath import current, faults, gets_there, idle, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.laptop import Laptop
    from tests.faults.typed import Typed
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

STEPS = ("download ", "install Miniconda", "check ", "build ", "read back ", "import what ", "make .* the current")
STILL = "a step of an earlier run is still at work"
soak = pytest.mark.soak


def with_pip(laptop: Laptop) -> None:
    """Ask for a wheel too, so that every kind of step is there."""
    host = laptop.web.url.split("/")[2].split(":")[0]
    options = [f"--index-url {laptop.web.url}/simple", f"--trusted-host {host}"]
    laptop.playbook({"environment": {"allow_pip_options": True}})
    laptop.environment_yml("python", "pip", "standin-alpha=1", {"pip": [*options, "standin-wheel"]})


def test_killed_after_each_step_in_turn_it_goes_on_with_the_next_one(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    with_pip(laptop)
    for step in STEPS:
        run = typed("up", "-v")
        run.until(rf"\] {step}")
        run.until(r"\] done in")
        run.kill()
    gets_there(laptop, box)


@pytest.mark.soak
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("done", [False, True], ids=["begun", "done"])
def test_killed_around_one_step_the_next_run_gets_there(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed], step: str, *, done: bool
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    with_pip(laptop)
    run = typed("up", "-v")
    run.until(rf"\] {step}")
    if done:
        run.until(r"\] done in")
    run.kill()
    gets_there(laptop, box)


@pytest.mark.parametrize(
    ("point", "line"),
    [
        pytest.param("installer:early", "Unpacking payload", marks=soak),
        ("installer:half", "Installing base environment"),
        pytest.param("installer:end", "Installing base environment", marks=soak),
        pytest.param("solve", "conda create -p", marks=soak),
        pytest.param("download:1", "Downloading and Extracting", marks=soak),
        ("extract:2", "Downloading and Extracting"),
        pytest.param("link:1", "Verifying transaction", marks=soak),
        pytest.param("before-history", "Verifying transaction", marks=soak),
        pytest.param("after-history", "Verifying transaction", marks=soak),
    ],
)
def test_killed_inside_a_long_step_the_next_run_waits_for_it_and_says_so(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed], point: str, line: str
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    with_pip(laptop)
    faults(box, sleep_at=point, seconds=8, times=1)
    run = typed("up", "-v")
    run.until(line)
    run.kill()

    again = typed("up", "-v")
    again.until(STILL)
    assert again.wait() == 0, again.text
    assert again.text.count("conda create -p") == 1, "what ran already was done a second time"
    assert again.text.count("Unpacking payload") == (1 if point.startswith("installer") else 0)
    whole(laptop, box)


def test_killed_while_the_host_downloads_the_next_run_takes_the_download_up(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = lab.host("box", rate_mbit=60)
    laptop.hosts([box])
    run = typed("up", "-v")
    run.until("download http")
    run.kill()
    again = typed("up", "-v")
    again.until(STILL)
    assert again.wait() == 0, again.text
    assert laptop.web.requests[f"/{laptop.installer.path.name}"] == 1
    whole(laptop, box)


def test_killed_while_a_new_generation_is_built_the_old_one_stays_in_use(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    assert laptop.type("up").code == 0
    before = current(box)
    laptop.environment_yml("python", "pip", "standin-alpha=2")
    faults(box, kill_at="link:1", times=1)
    run = typed("up", "-v")
    run.until("conda create -p")
    run.kill()
    idle(box)
    assert current(box) == before
    gets_there(laptop, box)
    assert current(box).startswith("2-")
