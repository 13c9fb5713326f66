"""SIGKILL of `provision` at every step boundary and inside each step: the next run gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.aftermath import faults, gets_there, idle, litter

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.laptop import Laptop
    from tests.faults.typed import Typed
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

Start = "Callable[..., Typed]"


def test_show(lab: Lab, laptop: Laptop, typed: Callable[..., Typed]) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    laptop.playbook({"environment": {"allow_pip_options": True}})
    laptop.environment_yml("python", "pip", "standin-alpha=1", {"pip": [f"--index-url {laptop.web.url}/simple", "standin-wheel"]})
    run = typed("up", "-v")
    code = run.wait()
    print(run.text)
    print(box.run("find /home/ubuntu/.provision -maxdepth 3; find / -name 'run-*' 2>/dev/null").stdout)
    print(litter(box))
    gets_there(laptop, box)
    assert code == 1
