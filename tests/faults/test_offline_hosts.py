"""A host that reaches nothing but gets SSH: from bare to verified, though the link is cut on the way."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.test_env_lock import generations, ok, packages, settled

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.laptop import Laptop
    from tests.faults.typed import Typed
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def without_a_way_out(box: LabHost) -> LabHost:
    """Take the host's route away: only what is on the link's other end, where SSH comes from, is reached."""
    box.run("ip route del default", check=True)
    return box


def locked(laptop: Laptop, boxes: list[LabHost], *, offline: bool) -> None:
    settled(laptop, boxes)
    if offline:
        path = laptop.project / "hosts.yaml"
        inventory = json.loads(path.read_text())
        inventory["defaults"]["offline"] = True
        path.write_text(json.dumps(inventory))
    laptop.environment_yml("python", "pip", "standin-beta=1", {"pip": ["standin-plugin"]})
    ok(laptop.type("env", "lock", "--cuda", "none"))


def test_an_offline_host_goes_from_bare_to_verified_though_the_transfer_is_cut_three_times(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = without_a_way_out(lab.host("box", rate_mbit=200))
    locked(laptop, [box], offline=True)
    run = typed("up", "-v")
    for _ in range(3):
        run.until(r"sending \d+ packages")
        time.sleep(0.4)
        box.reset_connections()
    assert run.wait(200) == 0, run.text
    said = [float(one) for one in re.findall(r"sending \d+ packages \(([\d.]+) MB\)", run.text)]
    assert len(said) >= 4, run.text
    assert packages(box)["pip:standin-plugin"] == "0.3"
    verified = ok(laptop.type("verify", "box", "--json"))
    assert verified.document["hosts"]["box"]["outcome"] == "converged"
    again = ok(laptop.type("up", "box", "--json"))
    assert again.document["hosts"]["box"]["outcome"] == "converged"


def test_a_host_that_turns_out_to_have_no_way_out_is_supplied_all_the_same(lab: Lab, laptop: Laptop) -> None:
    box = without_a_way_out(lab.host("box"))
    locked(laptop, [box], offline=False)
    answer = ok(laptop.type("up", "box", "-v"))
    assert "fetching it here, and sending it" in answer.err + answer.out
    assert packages(box)["pip:standin-plugin"] == "0.3"
    assert len(generations(box)) == 1


def test_several_offline_hosts_cost_one_download(lab: Lab, laptop: Laptop) -> None:
    boxes = [without_a_way_out(lab.host(name)) for name in ("a", "b")]
    locked(laptop, boxes, offline=True)
    laptop.web.requests.clear()
    ok(laptop.type("up", "all"))
    taken = {path: count for path, count in laptop.web.requests.items() if path.endswith((".conda", ".whl", ".sh"))}
    assert taken, laptop.web.requests
    assert set(taken.values()) == {1}
    assert packages(boxes[0]) == packages(boxes[1])


def test_what_nobody_can_download_is_named(lab: Lab, laptop: Laptop) -> None:
    box = without_a_way_out(lab.host("box"))
    locked(laptop, [box], offline=True)
    lock = (laptop.project / "environment.linux-64-cpu.lock").read_text()
    (gone,) = re.findall(r"/(noarch/standin-alpha[^#]*)#", lock)
    (laptop.web.folder / gone).unlink()
    answer = laptop.type("up", "box")
    assert answer.code == 4, answer
    assert "neither the host nor this machine can download it" in answer.err + answer.out
    assert "standin-alpha" in answer.err + answer.out
    assert generations(box) == []
