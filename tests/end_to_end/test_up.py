"""`provision up` as a user types it, against real hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


def test_a_bare_host_becomes_what_the_playbook_says_and_then_nothing_is_left_to_do(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])

    plan = laptop.type("plan", "gpu-box")
    assert plan.code == 0, plan
    assert "install Miniconda" in plan.out
    assert "+ standin-alpha=1" in plan.out
    assert box.run("ls -A /home/ubuntu").stdout.split() == box.run("ls -A /home/ubuntu").stdout.split()
    assert box.run("test -e /home/ubuntu/.provision").returncode == 1

    first = laptop.type("up", "gpu-box", "--json")
    assert first.code == 0, first
    assert first.document["hosts"]["gpu-box"]["outcome"] == "changed"
    assert first.document["exit_code"] == 0

    before = box.snapshot()
    connections = box.connections()
    commands = len([one for one in box.sshd_log().splitlines() if "Starting session: command" in one])
    second = laptop.type("up", "gpu-box", "--json")
    assert second.code == 0, second
    assert second.document["hosts"]["gpu-box"]["outcome"] == "converged"
    assert box.snapshot() == before
    assert box.connections() - connections == 1
    log = box.sshd_log()
    if commands:
        assert len([one for one in log.splitlines() if "Starting session: command" in one]) - commands == 1

    verdict = laptop.type("verify", "gpu-box")
    assert verdict.code == 0, verdict
    activated = box.run(
        ". ~/miniconda3/etc/profile.d/conda.sh && conda activate mymodel && python -c 'import standin_alpha, sys; "
        "print(sys.prefix)'",
        user="ubuntu",
    )
    assert activated.returncode == 0, activated
    assert "mymodel" in activated.stdout


def test_a_changed_environment_file_makes_a_new_generation_and_keeps_the_old_one(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    assert laptop.type("up", "gpu-box").code == 0
    base = "/home/ubuntu/.provision/envs/mymodel/mymodel"
    old = box.run(f"readlink {base}/current").stdout.strip()

    laptop.environment_yml("python", "pip", "standin-alpha=2")
    plan = laptop.type("plan")
    assert "- standin-alpha=1" in plan.out, plan
    assert "+ standin-alpha=2" in plan.out, plan
    changed = laptop.type("up")
    assert changed.code == 0, changed
    new = box.run(f"readlink {base}/current").stdout.strip()
    assert new != old
    assert new.startswith("2-")
    assert box.run(f"test -f {base}/{old}/.provision-generation.json").returncode == 0
    version = box.run(f"{base}/current/bin/python -c 'import standin_alpha as a; print(a.__version__)'").stdout.strip()
    assert version == "2.0"
