"""A converged host with a GPU costs what one without costs: one connection, one command, nothing computed again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.conftest import channel, installers, laptop, shared

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

__all__ = ["channel", "installers", "laptop", "shared"]

pytestmark = pytest.mark.lab

RECORDED = Path(__file__).parents[1] / "golden/nvidia_smi/a10"


def test_a_second_up_on_a_host_with_a_gpu_is_one_connection_and_one_command(
    lab: Lab,
    laptop: Laptop,
) -> None:
    box = lab.host("gpu-box", gpu=RECORDED)
    laptop.hosts([box])
    laptop.playbook({"gpu": {}}, {"environment": {}})
    first = laptop.type("up", "gpu-box")
    assert first.code == 0, first

    connections = box.connections()
    before = box.sshd_log().count("Starting session: command")
    second = laptop.type("up", "gpu-box", "--json")
    assert second.document["hosts"]["gpu-box"]["outcome"] == "converged", second
    assert box.connections() - connections == 1
    assert box.sshd_log().count("Starting session: command") - before == (1 if before else 0)
