"""The real cron and the real systemd run what is due; the clock passes a minute."""

from __future__ import annotations

import json
import shlex
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.machine import wait_until

if TYPE_CHECKING:
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.systemd, pytest.mark.timeout(300)]
SOURCE = Path(__file__).resolve().parents[2] / "src"
BINDS = (
    (Path(sys.base_prefix), "/opt/lab/python"),
    (Path(sysconfig.get_path("purelib")), "/opt/lab/packages"),
    (SOURCE, "/opt/lab/src"),
    (SOURCE.parent / "playbooks", "/opt/lab/playbooks"),
)
"""Python and provision as they are here, where the host's user may read them."""
PYTHON = f"/opt/lab/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
FOLDER = "/home/ubuntu/a b%c"
HOSTS = "version: 1\nhosts:\n  box: {address: 127.0.0.1, user: nobody, port: 9}\n"
NAME = "n % 'x'"
OTHERS = "# mine\n17 4 * * * true\n"


def typed(host: LabHost, *words: str) -> Any:
    """Type `provision schedule WORDS` on the host as its user."""
    command = shlex.join([PYTHON, "-m", "provision", "schedule", *words])
    return host.ssh(f"cd {shlex.quote(FOLDER)} && PYTHONPATH=/opt/lab/src:/opt/lab/packages {command}")


def prepared(host: LabHost) -> None:
    folder = shlex.quote(FOLDER)
    files = {"hosts.yaml": HOSTS, "environment.yml": "name: mymodel\ndependencies: [python]\n"}
    lines = [f"printf %s {shlex.quote(text)} > {folder}/{name}" for name, text in files.items()]
    assert host.ssh(f"mkdir -p {folder} && {' && '.join(lines)}").returncode == 0


def listed(host: LabHost) -> dict[str, Any]:
    (one,) = json.loads(typed(host, "list", "--json").stdout)["schedules"]
    return dict(one)


def has_run(host: LabHost) -> bool:
    # What a run leaves, and not `schedule list`: that would keep a processor busy for a minute.
    time.sleep(0.5)
    return any((host.root / "home/ubuntu/.local/state/provision/schedules").glob("*.past"))


def runs_within_two_minutes(host: LabHost, scheduler: str) -> None:
    prepared(host)
    added = typed(host, "add", "box", "--every", "1m", "--name", NAME, "--take-busy")
    assert added.returncode == 0, added
    assert listed(host)["by"] == scheduler
    wait_until(lambda: has_run(host), "nothing ran", seconds=120)
    assert listed(host)["outcome"] == "failed"
    assert "provision up: box" in typed(host, "logs", NAME).stdout
    assert typed(host, "remove", NAME).returncode == 0


def test_cron_runs_what_is_due_and_the_other_lines_stay(lab: Lab) -> None:
    host = lab.host("desk", binds=BINDS)
    host.ssh(f"printf %s {shlex.quote(OTHERS)} | crontab -")
    host.run("cron")
    runs_within_two_minutes(host, "cron")
    assert host.ssh("crontab -l").stdout == OTHERS


def test_a_timer_of_systemd_runs_what_is_due(lab: Lab) -> None:
    host = lab.host("desk", systemd=True, binds=BINDS)
    host.ssh("loginctl enable-linger")
    runs_within_two_minutes(host, "systemd")
    assert "provision" not in host.ssh("systemctl --user list-timers --all; ls ~/.config/systemd/user").stdout
