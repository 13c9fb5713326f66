"""What is typed against a real host stands in the ledger, and `provision history` tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.conftest import channel, installers, laptop, shared

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

__all__ = ["channel", "installers", "laptop", "shared"]

pytestmark = pytest.mark.lab


def runs(laptop: Laptop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = laptop.type("history", "--json").document["runs"]
    return found


def test_what_was_done_to_a_host_and_what_somebody_did_there_by_hand_is_told(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box], {"gpu-box": {"env": {"HF_TOKEN": "hf-secret-token"}}})
    assert laptop.type("plan", "gpu-box").code == 0
    assert laptop.type("up", "gpu-box").code == 0
    assert laptop.type("up", "gpu-box").code == 0
    site = "/home/ubuntu/.provision/envs/mymodel/mymodel/current/lib/python3*/site-packages"
    made = f"d=$(echo {site})/byhand-1.0.dist-info; mkdir $d; echo 'Name: byhand\nVersion: 1.0' >$d/METADATA"
    assert box.run(made, user="ubuntu").returncode == 0
    assert laptop.type("verify", "gpu-box", "--drift").code == 7
    assert laptop.type("up", "gpu-box").code == 0
    assert laptop.type("exec", "gpu-box", "--", "echo", "hf-secret-token").code == 0
    assert laptop.type("jobs").code == 0

    told = runs(laptop)
    assert [(one["command"], one["hosts"][0]["outcome"], one["hosts"][0]["changed"]) for one in told] == [
        ("plan", "pending", False),
        ("up", "changed", True),
        ("up", "converged", False),
        ("verify", "pending", False),
        ("up", "changed", True),
        ("exec", "changed", False),
        ("jobs", "converged", False),
    ]
    assert all(one["started"] < one["ended"] and one["project"] == "mymodel" for one in told)
    assert told[5]["argv"] == ["gpu-box", "--", "echo", "***"]

    host = laptop.type("history", "gpu-box", "--json").document
    assert host["state"]["facts"]["drift"] == []
    assert host["state"]["facts"]["environment"] == "mymodel"
    names = [(one["kind"], one["name"]) for one in host["happened"]]
    assert ("came", "ENV-DRIFT") in names
    assert names.index(("came", "ENV-DRIFT")) < names.index(("went", "ENV-DRIFT"))
    current = [one["text"] for one in host["happened"] if one["text"].endswith("is in use")]
    assert [one.split("-")[0] for one in current] == ["1", "2"]

    run = laptop.type("history", "--run", told[1]["id"])
    assert run.code == 0, run
    assert "install Miniconda" in run.out


def test_a_host_that_is_not_reached_and_a_run_that_is_killed_are_told(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    process = laptop.start("exec", "gpu-box", "--", "sleep", "600")
    while not runs(laptop):
        assert process.poll() is None
    laptop.kill(process)
    (killed,) = runs(laptop)
    assert (killed["command"], killed["ended"], killed["exit_code"]) == ("exec", None, None)
    box.stop_sshd()
    assert laptop.type("verify", "gpu-box").code == 3
    assert runs(laptop)[1]["hosts"][0]["outcome"] == "unreachable"
