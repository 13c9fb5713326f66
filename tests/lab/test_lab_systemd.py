"""A systemd host boots the real thing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.machine import wait_until
from tests.lab.nspawn import control_groups

if TYPE_CHECKING:
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.systemd]


@pytest.fixture
def booted(lab: Lab) -> LabHost:
    return lab.host("booted", systemd=True)


def test_systemd_is_running_and_serves_a_user(booted: LabHost) -> None:
    assert booted.ssh("systemctl is-system-running --wait").stdout == "running\n"
    answer = booted.ssh("systemctl --user is-system-running --wait; systemd-run --user --wait -q true && echo ran")
    assert answer.stdout == "running\nran\n"
    assert booted.ssh("cat /proc/1/comm; hostname").stdout == "systemd\nbooted\n"


def test_a_reboot_keeps_the_disk_and_changes_the_boot_id(booted: LabHost) -> None:
    before = booted.boot_id
    booted.ssh("touch kept")
    machine = booted.run("cat /etc/machine-id").stdout
    booted.reboot()
    assert booted.boot_id != before
    assert booted.ssh("ls; cat /etc/machine-id").stdout == f"kept\n{machine}"


@pytest.mark.parametrize("kill", [False, True])
def test_logind_kills_a_users_processes_only_where_told(lab: Lab, kill: bool) -> None:
    host = lab.host(systemd=True, kill_user_processes=kill)
    host.ssh("setsid sleep 1234 >/dev/null 2>&1 &")

    def sleeps() -> bool:
        return any(process.command == "sleep 1234" for process in host.processes())

    if kill:
        wait_until(lambda: not sleeps(), "the process survives the session", seconds=10)
    else:
        time.sleep(0.5)
        assert sleeps()


def test_a_lingering_service_outlives_its_session(lab: Lab) -> None:
    host = lab.host(systemd=True, kill_user_processes=True)
    host.ssh("loginctl enable-linger && systemd-run --user -q sleep 1234")
    time.sleep(0.5)
    assert any(process.command.endswith("sleep 1234") for process in host.processes())


def test_powering_off_is_orderly(booted: LabHost) -> None:
    booted.run("""cat >/etc/systemd/system/last.service <<'UNIT'
[Service]
ExecStart=/bin/sleep 1234
ExecStopPost=/bin/touch /home/ubuntu/stopped
UNIT
systemctl daemon-reload && systemctl start last""")
    booted.power_off()
    booted.start()
    assert booted.ssh("ls").stdout == "stopped\n"


def test_two_systemd_hosts_do_not_share_their_control_groups(lab: Lab) -> None:
    hosts = lab.fleet(["one", "two"], systemd=True)
    groups = [folder for host in hosts for folder in control_groups(f"lab-{host.boot}")]
    assert all(folder.is_dir() for folder in groups)
    hosts[0].run(["systemctl", "stop", "dbus.socket", "dbus"])
    hosts[0].stop()
    assert hosts[1].ssh("systemctl is-system-running --wait").stdout == "running\n"
    lab.close()
    assert not any(folder.exists() for folder in groups)


def test_changed_keys_small_homes_and_snapshots_work_under_systemd(lab: Lab) -> None:
    host = lab.host(systemd=True, home_size=1 << 20, sudo="nopasswd")
    before = host.host_key_fingerprint
    host.change_host_key()
    assert host.host_key_fingerprint != before
    assert host.ssh("sudo -n id -u").stdout == "0\n"
    assert host.ssh("head -c 2000000 /dev/zero >big").returncode != 0
    host.ssh("rm big")
    first = host.snapshot()
    host.ssh("true")
    assert host.snapshot() == first


def test_a_systemd_host_with_latency_is_reached_through_it(lab: Lab) -> None:
    host = lab.host(systemd=True, latency_ms=10)
    assert host.ssh("hostname").stdout == "box\n"
    assert Path(f"/proc/{host.machine.init}/net/dev").read_text().count("tun0") == 1
