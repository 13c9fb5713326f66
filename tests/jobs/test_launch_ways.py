"""The way in which a job outlives its launch, on each kind of host: which one is taken, and that the job goes on."""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING, Any

import pytest

from provision.remote import catalogue
from provision.sync.manifest import Manifest
from tests.lab.machine import wait_until
from tests.scripts.launch_client import SUPERVISOR, request_bytes
from tests.ssh.reach import link

if TYPE_CHECKING:
    from pathlib import Path

    from provision.ssh.link import SshLink
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab]

STATE = "our files $HOME %h 'x'"
HEAD = struct.Struct(">cI")
REFUSES = """#!/bin/sh
[ "$1" != enable-linger ] || { echo 'Access denied' >&2; exit 1; }
exec /usr/bin/loginctl "$@"
"""
LINGERING = 12
"""Seconds, and more than those after which a user's manager ends that does not linger."""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "own"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("SSH_AUTH_SOCK", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


def request(*command: str, **more: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "state_dir": f"~/{STATE}",
        "id": "abcdef",
        "nonce": "1" * 32,
        "name": None,
        "project": "project",
        "tree": "~/work/project",
        "command": command,
        "cwd": "",
        "in_place": False,
        "persist": [],
        "environment": None,
        "env": [],
        "secrets": [["TOKEN", "hush"]],
        "gpus": None,
        "max_time": None,
        "grace": 7,
        "origin": {},
        "tree_id": None,
        "diff": None,
        "supervisor": SUPERVISOR,
        "keep": {"days": 30, "gib": 50},
        "driver": None,
        **more,
    }


def synced(host: LabHost) -> None:
    """Give the host a tree that nothing but its list was synced to."""
    host.run("mkdir -p ~/work/project/.provision", user=host.user, check=True)
    place = host.root / host.home.lstrip("/") / "work/project/.provision/manifest"
    place.write_bytes(Manifest.of({}).blob)


def launched(made: SshLink, asked: dict[str, Any]) -> tuple[bytes, Any]:
    """Return the launcher's last word."""
    conversation = made.converse(catalogue.job_program("launch_job.py", asked["state_dir"], request_bytes(asked), ()))
    said = b""
    while True:
        while len(said) < HEAD.size or len(said) < HEAD.size + HEAD.unpack_from(said)[1]:
            said += conversation.receive(60)
        kind, length = HEAD.unpack_from(said)
        if kind != b"P":
            conversation.close()
            return kind, json.loads(said[HEAD.size : HEAD.size + length])
        said = said[HEAD.size + length :]


def launch(host: LabHost, *command: str, **more: Any) -> tuple[bytes, Any]:
    """Log in, launch, and log out."""
    synced(host)
    with link(host) as made:
        return launched(made, request(*command, **more))


def job(host: LabHost) -> Path:
    return host.root / host.home.lstrip("/") / STATE / "jobs" / "abcdef"


def survives(host: LabHost, seconds: int) -> Any:
    """Launch a job that goes on for so long after the logout; return its record."""
    kind, said = launch(host, "sh", "-c", f"sleep {seconds}; echo survived; umask; pwd")
    assert kind == b"J", said
    wait_until((job(host) / "end.json").exists, "the job does not end", seconds=seconds + 30)
    wait_until(lambda: not supervisors(host), "its supervisor does not end")
    lines = (job(host) / "log").read_text().splitlines()
    assert lines == ["survived", "0022", f"{host.home}/work/project/.provision/snapshots/abcdef"]
    return said["job"]


def supervisors(host: LabHost) -> list[str]:
    return [one.command for one in host.processes() if "/programs/supervise-" in one.command]


@pytest.mark.systemd
def test_a_login_gets_a_unit_of_its_own_manager_that_lingers_from_then_on(lab: Lab) -> None:
    host = lab.host(systemd=True, kill_user_processes=True)
    record = survives(host, LINGERING)
    assert (record["way"], record["unit"], record["way_note"]) == ("user-unit", "provision-job-abcdef.service", None)
    wait_until((job(host) / "post").exists, "what is to run after the unit did not")
    assert json.loads((job(host) / "post").read_text()) == {"result": "success"}


@pytest.mark.systemd
def test_root_gets_a_unit_of_the_system(lab: Lab) -> None:
    host = lab.host(systemd=True, kill_user_processes=True, user="root")
    record = survives(host, 3)
    assert (record["way"], record["unit"], record["way_note"]) == ("system-unit", "provision-job-abcdef.service", None)
    wait_until((job(host) / "post").exists, "what is to run after the unit did not")


@pytest.mark.systemd
@pytest.mark.parametrize("user", ["ubuntu", "root"])
def test_a_unit_ends_all_of_a_job_and_has_no_limits_of_its_own(lab: Lab, user: Any) -> None:
    host = lab.host(systemd=True, user=user)
    _, said = launch(host, "sleep", "1234")
    manager = "systemctl" if user == "root" else "XDG_RUNTIME_DIR=/run/user/1000 systemctl --user"
    names = ("KillMode", "SendSIGKILL", "TimeoutStopUSec", "OOMPolicy", "CollectMode", "TasksMax", "LimitNOFILE")
    shown = host.run(f"{manager} show {said['job']['unit']} -p {','.join(names)}", user=user, check=True).stdout
    found = dict(line.partition("=")[::2] for line in shown.splitlines())
    assert int(found.pop("LimitNOFILE")) >= 1024
    assert found == {
        "KillMode": "control-group",
        "SendSIGKILL": "yes",
        "TimeoutStopUSec": "17s",
        "OOMPolicy": "continue",
        "CollectMode": "inactive-or-failed",
        "TasksMax": "infinity",
    }
    assert "hush" not in host.run(f"{manager} show {said['job']['unit']}", user=user, check=True).stdout
    host.run(f"{manager} stop {said['job']['unit']}", user=user, check=True)
    assert not [one for one in host.processes() if one.command == "sleep 1234"]


def test_a_host_without_systemd_gets_a_session_of_its_own(lab: Lab) -> None:
    record = survives(lab.host(), 2)
    assert (record["way"], record["unit"], record["way_note"]) == ("session", None, None)


def test_a_rented_container_gets_a_session_of_its_own(lab: Lab) -> None:
    record = survives(lab.host(container=True), 2)
    assert (record["way"], record["user"]) == ("session", "root")


def test_nothing_of_the_connection_is_held_by_a_session_of_its_own(lab: Lab) -> None:
    host = lab.host()
    launch(host, "sleep", "1234")
    wait_until(lambda: not [one for one in host.processes() if "sshd" in one.command], "the connection does not end")
    (pid,) = (one.pid for one in host.processes() if "/programs/supervise-" in one.command)
    folder = host.root / "proc" / str(pid) / "fd"
    held = {os.fspath(one.readlink()) for one in folder.iterdir()}
    assert not [one for one in held if one.startswith(("pipe:", "socket:"))]
    assert not [one for one in held if one.endswith("/launcher")]


@pytest.mark.systemd
def test_without_lingering_a_session_does_where_a_logout_ends_nothing(lab: Lab) -> None:
    record = survives(lab.host(systemd=True, without=("loginctl", "busctl")), LINGERING)
    assert record["way"] == "session"
    assert "loginctl" in record["way_note"]


@pytest.mark.systemd
def test_where_a_logout_ends_all_the_launch_is_refused_and_nothing_is_left(lab: Lab) -> None:
    host = lab.host(systemd=True, kill_user_processes=True, without=("loginctl",))
    kind, said = launch(host, "sleep", "1234")
    assert (kind, said["kind"]) == (b"E", "logout")
    assert "enable-linger ubuntu" in said["hint"]
    assert not list(job(host).parent.iterdir())
    assert not supervisors(host)


@pytest.mark.systemd
@pytest.mark.parametrize("ends", [False, True])
def test_where_lingering_is_not_granted_logind_tells_whether_a_session_goes_on(lab: Lab, ends: bool) -> None:
    files = (("/usr/local/bin/loginctl", REFUSES, 0o755),)
    host = lab.host(systemd=True, kill_user_processes=ends, files=files)
    # With the first login logind is there, and from then on the files say the opposite: it is asked itself.
    assert host.ssh("true").returncode == 0
    lines = f"[Login]\nKillUserProcesses={'no' if ends else 'yes'}\n"
    (host.root / "etc/systemd/logind.conf.d/zz.conf").write_text(lines)
    kind, said = launch(host, "sleep", "1234")
    if ends:
        assert (kind, said["kind"]) == (b"E", "logout")
        assert "Access denied" in said["message"]
    else:
        assert kind == b"J", said
        assert (said["job"]["way"], "Access denied" in said["job"]["way_note"]) == ("session", True)
        assert supervisors(host)


@pytest.mark.systemd
def test_a_unit_that_cannot_be_made_gives_way_to_a_session_and_the_reason_is_kept(lab: Lab) -> None:
    record = survives(lab.host(systemd=True, without=("systemd-run",)), 2)
    assert (record["way"], record["unit"]) == ("session", None)
    assert "systemd-run" in record["way_note"]


@pytest.mark.systemd
def test_where_no_unit_can_be_made_and_a_logout_ends_all_nothing_is_left(lab: Lab) -> None:
    host = lab.host(systemd=True, kill_user_processes=True, without=("systemd-run",))
    kind, said = launch(host, "sleep", "1234")
    assert (kind, said["kind"]) == (b"E", "logout")
    assert not list(job(host).parent.iterdir())
    assert not list((host.root / "home/ubuntu/work/project/.provision/snapshots").iterdir())


@pytest.mark.systemd
def test_a_systemd_that_knows_fewer_properties_still_makes_the_unit(lab: Lab) -> None:
    old = """#!/bin/sh
for one in "$@"; do case $one in OOMPolicy=*) echo "Unknown assignment: $one" >&2; exit 1 ;; esac; done
exec /usr/bin/systemd-run "$@"
"""
    record = survives(lab.host(systemd=True, user="root", files=(("/usr/local/bin/systemd-run", old, 0o755),)), 1)
    assert (record["way"], record["way_note"]) == ("system-unit", None)
