"""Hosts as they are rented: other shells, missing programs, one session, containers, gateways, chains of jump hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.aftermath import gets_there, idle, works
from tests.faults.inside import only_command
from tests.lab.knobs import MIB

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.faults.conftest import Size
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
soak = pytest.mark.soak


@pytest.mark.parametrize(
    "knobs",
    [
        pytest.param({"max_sessions": 1}, id="MaxSessions 1"),
        pytest.param({"login_shell": "dash"}, id="dash", marks=soak),
        pytest.param({"login_shell": "fish"}, id="fish"),
        pytest.param({"login_shell": "tcsh"}, id="tcsh"),
        pytest.param({"login_shell": "busybox"}, id="busybox", marks=soak),
        pytest.param({"login_shell": "zsh"}, id="zsh", marks=soak),
        pytest.param({"rc_noise": True}, id="noisy rc files"),
        pytest.param({"rc_noise": True, "login_shell": "fish", "max_sessions": 1}, id="all at once", marks=soak),
        pytest.param({"rc_delay": 1.0}, id="slow rc files", marks=soak),
        pytest.param({"without": ("curl",)}, id="wget alone"),
        pytest.param({"without": ("curl", "wget")}, id="python alone"),
        pytest.param({"container": True}, id="container"),
        pytest.param({"loss_percent": 2.0}, id="loss", marks=soak),
        pytest.param({"noexec_tmp": True}, id="noexec /tmp", marks=soak),
        pytest.param({"without": ("fuser", "rsync")}, id="few programs", marks=soak),
    ],
)
def test_an_awkward_host_gets_there(lab: Lab, laptop: Laptop, knobs: dict[str, Any]) -> None:
    box = lab.host("box", **knobs)
    laptop.hosts([box])
    gets_there(laptop, box, outcomes=("changed",))
    # One for each of `up`, `verify` and `up` again, and for each a second one where the lease takes a session.
    assert box.connections() <= (6 if knobs.get("max_sessions") else 3)


@pytest.mark.parametrize("missing", ["gzip", "base64"])
def test_a_host_that_cannot_unpack_is_sent_its_scripts_as_they_are(lab: Lab, laptop: Laptop, missing: str) -> None:
    box = lab.host("box", without=(missing,))
    laptop.hosts([box])
    only_command(laptop, "echo ran")
    answer = laptop.type("up", "--json")
    assert (answer.code, answer.document["hosts"]["box"]["outcome"]) == (0, "changed"), answer
    assert answer.document["hosts"]["box"]["facts"]["system"]["kernel"]
    idle(box)


@pytest.mark.parametrize("how", ["no program to do it", "no way to the server"])
def test_a_host_that_cannot_download_gets_the_installer_from_us(lab: Lab, laptop: Laptop, how: str) -> None:
    missing = ("curl", "wget", "python3", "python3.11") if "program" in how else ()
    box = lab.host("box", without=missing)
    if not missing:
        box.run("ip route add unreachable 198.18.0.1", check=True)
    laptop.hosts([box])
    # Only the installer: an environment needs a way to its channels.
    laptop.playbook()
    answer = laptop.type("up", "-v")
    assert answer.code == 0, answer
    assert "the host has no way out: fetching it here, and sending it" in answer.out + answer.err
    assert laptop.web.requests[f"/{laptop.installer.path.name}"] == 1
    assert laptop.type("verify").code == 0
    idle(box)


@pytest.mark.parametrize("knobs", [{"exec_refused": True}, {"login_shell": "nologin"}], ids=["gateway", "nologin"])
def test_what_runs_no_command_is_told_as_such(lab: Lab, laptop: Laptop, knobs: dict[str, Any]) -> None:
    box = lab.host("box", **knobs)
    laptop.hosts([box])
    answer = laptop.type("up", "--json")
    assert answer.code == 3, answer
    error = answer.document["hosts"]["box"]["error"]
    assert error["kind"] == "unsupported"
    assert "does not run commands" in error["message"]
    idle(box)


def test_a_host_behind_two_jump_hosts_far_away_gets_there(lab: Lab, laptop: Laptop) -> None:
    outer = lab.host("outer", latency_ms=40)
    inner = lab.host("inner", jump=outer)
    box = lab.host("box", jump=inner)
    laptop.hosts([outer, inner, box], {"inner": {"jump": "outer"}, "box": {"jump": "inner"}})
    only_command(laptop, "echo ran")
    assert laptop.type("up", "box").code == 0
    for host in (outer, inner, box):
        idle(host)


def test_many_hosts_behind_one_jump_host_all_get_in(lab: Lab, laptop: Laptop, size: Size) -> None:
    gate = lab.host("gate", max_startups="10:30:60")
    inner = [lab.host(f"h{number}", jump=gate) for number in range(size(10, 20))]
    laptop.hosts([gate, *inner], {host.name: {"jump": "gate"} for host in inner})
    only_command(laptop, "echo ran")
    answer = laptop.type("up", *(host.name for host in inner), "--json", timeout=300)
    assert answer.code == 0, answer
    for host in (gate, *inner):
        idle(host)


def test_a_group_umask_makes_nothing_that_others_may_write(lab: Lab, laptop: Laptop) -> None:
    box = lab.host(
        "box", files=(("/home/ubuntu/.bashrc", "umask 002\n", 0o644), ("/etc/profile.d/u.sh", "umask 000\n", 0o644))
    )
    laptop.hosts([box])
    gets_there(laptop, box, outcomes=("changed",))
    folders = "/home/ubuntu/.provision /home/ubuntu/miniconda3 /home/ubuntu/.conda"
    open_to_others = box.run(
        f"find {folders} ! -type l ! -name __pycache__ -perm /022 ! -path '*/__pycache__/*'"
    ).stdout
    assert open_to_others == ""
    assert box.run("stat -c %a /home/ubuntu/.provision").stdout == "700\n"


@pytest.mark.parametrize("mode", ["0777", "0757"])
def test_a_home_that_others_can_write_is_refused_before_anything_is_done(lab: Lab, laptop: Laptop, mode: str) -> None:
    box = lab.host("box", sshd_config=("StrictModes no",))
    laptop.hosts([box])
    box.run(f"chmod {mode} /home/ubuntu", check=True)
    before = box.snapshot()
    answer = laptop.type("up", "--json")
    assert answer.code == 5, answer
    assert "others own or can write /home/ubuntu" in answer.document["hosts"]["box"]["error"]["message"]
    assert box.snapshot() == before


def test_the_state_folder_can_lie_elsewhere_and_move(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    box.run("mkdir -p '/mnt/data disk' && chown ubuntu '/mnt/data disk'", check=True)
    laptop.hosts([box], {"box": {"state_dir": "/mnt/data disk/provision"}})
    assert laptop.type("up").code == 2
    laptop.hosts([box], {"box": {"state_dir": "/mnt/nowhere/provision"}})
    answer = laptop.type("up", "--json")
    assert answer.code in {4, 5}, answer
    assert "/mnt/nowhere/provision" in answer.document["hosts"]["box"]["error"]["message"]
    box.run("mkdir -p /mnt/data && chown ubuntu /mnt/data", check=True)
    laptop.hosts([box], {"box": {"state_dir": "/mnt/data/provision"}})
    assert laptop.type("up").code == 0
    assert box.run("readlink /home/ubuntu/.conda/envs/mymodel").stdout.startswith("/mnt/data/provision/envs/")
    laptop.hosts([box])
    gets_there(laptop, box, outcomes=("changed",))
    assert works(box)


@pytest.mark.parametrize("tool", ["flock", "timeout", "setsid"])
def test_a_host_without_the_programs_that_guard_it_is_told_so(lab: Lab, laptop: Laptop, tool: str) -> None:
    box = lab.host("box", without=(tool,), home_size=900 * MIB)
    laptop.hosts([box])
    only_command(laptop, "echo ran")
    answer = laptop.type("up", "--json")
    assert answer.code in {4, 5}, answer
    assert f"no {tool}" in answer.document["hosts"]["box"]["error"]["message"]
    idle(box)
