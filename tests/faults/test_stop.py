"""Ctrl-C and SIGTERM: once finishes the step, twice ends it on the host at once; the next run goes on."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.faults.aftermath import faults, gets_there, idle
from tests.faults.inside import only_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.laptop import Laptop
    from tests.faults.typed import Typed
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_asked_once_it_finishes_the_step_and_says_what_was_left(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed], number: signal.Signals
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    faults(box, sleep_at="installer:early", seconds=3, times=1)
    run = typed("up", "-v")
    run.until("Unpacking payload")
    run.signal(number)
    assert run.wait() == 130, run.text
    assert "finishing the present step" in run.text
    assert re.search(r"\] install Miniconda .*\n(?:.*\n)*?\[\d+/\d+\] done in", run.text), run.text
    assert "build mymodel" in run.text.rpartition("not done:")[2]
    assert "conda create" not in run.text
    assert box.run("test -x /home/ubuntu/miniconda3/bin/conda").returncode == 0
    idle(box)
    gets_there(laptop, box)


@pytest.mark.parametrize(
    ("number", "point", "line"),
    [(signal.SIGINT, "installer:half", "Installing base"), (signal.SIGTERM, "link:1", "Verifying transaction")],
)
def test_asked_twice_it_ends_the_step_on_the_host_at_once(  # noqa: PLR0917 - fixtures and parameters come by name
    lab: Lab,
    laptop: Laptop,
    typed: Callable[..., Typed],
    number: signal.Signals,
    point: str,
    line: str,
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    faults(box, sleep_at=point, seconds=300, times=1)
    run = typed("up", "-v")
    run.until(line)
    run.signal(number)
    run.until("finishing the present step")
    run.signal(number)
    assert run.wait(60) == 130, run.text
    idle(box)
    gets_there(laptop, box)


def test_asked_twice_a_check_that_runs_with_the_connection_is_ended_too(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    assert laptop.type("up").code == 0
    hang = "import time; time.sleep(300)\n"
    path = f"{box.home}/.provision/envs/mymodel/mymodel/current/lib/python3*/site-packages/standin_alpha/__init__.py"
    box.run(f"for one in {path}; do printf '{hang}' >$one; done")
    run = typed("verify", "-v")
    run.until("import what")
    run.signal(signal.SIGINT)
    run.until("finishing the present step")
    run.signal(signal.SIGINT)
    assert run.wait(60) == 130, run.text
    idle(box)


def test_asked_twice_a_step_whose_parts_left_its_process_group_is_ended_whole(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    only_command(
        laptop, "trap '' TERM; timeout 300 sleep 300 & echo begun; timeout 300 sh -c 'trap \"\" TERM; sleep 300; :'"
    )
    run = typed("up", "-v")
    run.until("    begun")
    run.signal(signal.SIGINT)
    run.until("finishing the present step")
    run.signal(signal.SIGINT)
    assert run.wait(60) == 130, run.text
    idle(box)


def test_asked_twice_on_a_dead_link_it_ends_all_the_same(lab: Lab, laptop: Laptop, typed: Callable[..., Typed]) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    only_command(laptop, "echo begun; sleep 8")
    run = typed("up", "-v")
    run.until("    begun")
    box.cut()
    run.signal(signal.SIGINT)
    run.until("finishing the present step")
    run.signal(signal.SIGINT)
    assert run.wait(60) == 130, run.text
    box.heal()
    # The host counts the lost connection as its holder for a minute at most.
    again = laptop.type("up", "--json", "--wait")
    assert again.code == 0, again
    assert json.loads(again.out)["hosts"]["box"]["outcome"] in {"changed", "converged"}
