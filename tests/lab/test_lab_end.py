"""A laboratory leaves nothing behind, however it ends."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.controller import enter_laboratory
from tests.lab.lab import Lab
from tests.lab.machine import descendants, process_ids, wait_until
from tests.lab.nspawn import control_groups

if TYPE_CHECKING:
    from tests.lab.host import LabHost

pytestmark = pytest.mark.lab

HOLDER = """
    import signal
    from tests.lab.controller import enter_laboratory
    from tests.lab.lab import Lab
    with Lab(enter_laboratory()) as lab:
        boxes = [lab.host("plain", latency_ms=1), lab.host("booted", systemd=True)]
        for box in boxes:
            box.ssh("setsid sleep 1234 >/dev/null 2>&1 &")
        print(boxes[1].boot, flush=True)
        signal.pause()
"""


def test_closing_ends_every_process_mount_and_interface() -> None:
    mounts = Path("/proc/self/mounts").read_text()
    before = set(process_ids())
    with Lab(enter_laboratory()) as lab:
        plain, slow = lab.host("plain"), lab.host("slow", latency_ms=1)
        plain.ssh("setsid sleep 1234 >/dev/null 2>&1 &")
        inside = [*descendants(plain.machine.unshare.pid), *descendants(slow.machine.unshare.pid)]
        assert slow.forwarder is not None
        inside += [plain.machine.unshare.pid, slow.machine.unshare.pid, slow.forwarder.pid]
        assert len(inside) >= 7
    assert not set(inside) & set(process_ids()) - before
    assert Path("/proc/self/mounts").read_text() == mounts
    assert not list(enter_laboratory().folder.glob("*-plain"))
    wait_until(lambda: "lab" not in Path("/proc/net/dev").read_text(), "an interface is left")


def test_a_killed_test_process_leaves_no_process_behind() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as holder:
        assert holder.stdout is not None
        groups = control_groups(f"lab-{holder.stdout.readline().strip()}")
        below = descendants(holder.pid)
        commands = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in below}
        assert {"init", "sshd", "systemd", "sleep", "lab-latency", "unshare"} <= commands
        holder.kill()
    wait_until(lambda: not set(below) & set(process_ids()), "a process outlives its laboratory", seconds=10)
    wait_until(lambda: not any(group.exists() for group in groups), "a control group is left", seconds=10)


def test_a_laboratory_that_fails_half_way_still_ends_its_hosts(host: LabHost) -> None:
    made: list[LabHost] = []

    def fail() -> None:
        with Lab(enter_laboratory()) as lab:
            made.append(lab.host("other"))
            lab.host("wrong", no_such_knob=True)

    with pytest.raises(TypeError, match="no_such_knob"):
        fail()
    assert made[0].machine.unshare.poll() is not None
    assert host.ssh("true").returncode == 0


def test_the_test_process_cannot_reach_the_machines_network() -> None:
    interfaces = Path("/proc/self/net/dev").read_text().split("\n")[2:]
    assert {line.split(":")[0].strip() for line in interfaces if line.strip()} <= {"lo"}


def test_the_machines_network_is_one_nsenter_away() -> None:
    outside = enter_laboratory().machine_network
    answer = subprocess.run(
        ["nsenter", f"--net={outside}", "readlink", "/proc/self/ns/net"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() != str(Path("/proc/self/ns/net").readlink())
