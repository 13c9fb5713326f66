"""Another login of the same host: it cannot exchange what we run, hold us up, or read what is ours."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from provision.model.plan import Program
from provision.remote import catalogue
from tests.end_to_end.conftest import channel, installers, laptop, shared
from tests.faults.inside import only_command
from tests.lab.inside import command_inside
from tests.lab.machine import wait_until
from tests.scripts.shells import SHELLS, HostOfOneShell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.laptop import Answer, Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

__all__ = ["channel", "installers", "laptop", "shared"]

MALLORY = 4000
TOKEN = 'hf_canary\'of "ours" $7f3a'
DANGERS = {
    "their folder": ("install -d -o 4000 -m 777 /data/prov", "belongs to another user (uid 4000)"),
    "our folder in theirs": (
        "install -d -o 4000 -m 755 /data; install -d -o ubuntu -m 700 /data/prov",
        "/data belongs to another user (uid 4000)",
    ),
    "a folder that all can write": ("chmod 777 /data", "everyone can write /data"),
    "their sticky folder": ("install -d -o 4000 -m 1777 /data", "/data belongs to another user (uid 4000)"),
    "a group's folder": (
        "chgrp users /data; chmod 2775 /data; install -d -o ubuntu -m 700 /data/prov",
        "the group users can write /data",
    ),
    "our folder, open to all": ("install -d -o ubuntu -m 1777 /data/prov", "everyone can write /data/prov"),
    "their link to our folder": (
        "chmod 1777 /data; install -d -o ubuntu /var/p; ln -s /var/p /data/prov; chown -h 4000 /data/prov",
        "/data/prov belongs to another user (uid 4000)",
    ),
    "our link to their folder": (
        "install -d -o 4000 /data/x; install -d -o ubuntu /data/x/p; ln -s /data/x/p /data/prov",
        "/data/x belongs to another user (uid 4000)",
    ),
    "their lock in our folder": (
        "install -d -o ubuntu -m 700 /data/prov; install -o 4000 -m 666 /dev/null /data/prov/step.lock",
        "/data/prov/step.lock belongs to another user (uid 4000)",
    ),
    "a link to their environments": (
        "install -d -o ubuntu /data/prov; install -d -o 4000 /var/envs; ln -s /var/envs /data/prov/envs",
        "belongs to another user (uid 4000)",
    ),
    "a pipe in the place of the lock": (
        "install -d -o ubuntu -m 700 /data/prov; mkfifo /data/prov/lease; chown ubuntu /data/prov/lease",
        "/data/prov/lease is neither a file nor a folder",
    ),
}


def as_mallory(box: LabHost, command: str) -> subprocess.CompletedProcess[str]:
    become = ["setpriv", f"--reuid={MALLORY}", f"--regid={MALLORY}", "--clear-groups"]
    return box.run([*become, "sh", "-c", command])


def up(laptop: Laptop, box: LabHost, state_dir: str, *words: str) -> Answer:
    laptop.hosts([box], {box.name: {"state_dir": state_dir}})
    only_command(laptop, "touch ran", creates="~/ran")
    return laptop.type("up", box.name, *words)


@pytest.mark.lab
@pytest.mark.parametrize("danger", DANGERS)
def test_nothing_is_run_from_a_state_folder_that_another_login_could_exchange(
    lab: Lab, laptop: Laptop, danger: str
) -> None:
    prepare, why = DANGERS[danger]
    box = lab.host("box")
    box.run(f"mkdir /data; {prepare}", check=True)
    there = box.run("test -e /data/prov").returncode == 0
    answer = up(laptop, box, "/data/prov")
    # What is read there may be their word: nothing is judged by it. A folder that is still to be made is refused then.
    assert answer.code == (5 if there else 4), answer
    assert why in answer.out, answer
    assert box.run("find /home/ubuntu/ran /data /var/p /var/envs -name lease.holder -o -name script").stdout == ""
    assert box.run("test -e /home/ubuntu/ran").returncode == 1


@pytest.mark.lab
def test_a_state_folder_of_our_own_below_tmp_is_closed_to_others(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    assert box.run("stat -c '%a %u' /tmp").stdout == "1777 0\n"
    answer = up(laptop, box, "/tmp/team/prov")
    assert answer.code == 0, answer
    assert box.run("stat -c '%a %U' /tmp/team /tmp/team/prov").stdout == "700 ubuntu\n" * 2
    for attempt in (
        "mv /tmp/team /tmp/gone",
        "ls /tmp/team/prov",
        "flock -n /tmp/team/prov/step.lock true",
        "flock -n -s /tmp/team/prov/lease true",
        "cat /tmp/team/prov/steps/*/script",
    ):
        assert as_mallory(box, attempt).returncode != 0, attempt


@pytest.mark.lab
def test_root_in_a_container_is_alone_on_its_volume(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box", container=True)
    box.run("install -d -o 4000 -m 777 /data", check=True)
    answer = up(laptop, box, "/data/provision")
    assert answer.code == 0, answer


@contextmanager
def looking(box: LabHost, needle: str, uid: int, found: Path) -> Iterator[None]:
    """Search every process's words and variables, over and over."""
    loop = f"echo begun; while :; do grep -aFlf {needle} /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; done"
    words = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "sh", "-c", loop]
    with (
        found.open("wb") as file,
        subprocess.Popen(command_inside(box.init, words, "root"), stdout=file, start_new_session=True) as process,
    ):
        try:
            wait_until(lambda: found.read_bytes().startswith(b"begun\n"), "the search did not begin")
            yield
        finally:
            process.kill()


@pytest.mark.lab
def test_no_value_of_a_host_s_variables_can_be_seen_by_another_login(lab: Lab, laptop: Laptop, tmp_path: Path) -> None:
    box = lab.host("box")
    laptop.hosts([box], {"box": {"env": {"HF_TOKEN": TOKEN}}})
    laptop.playbook(
        {"environment": {}}, {"command": {"run": 'sleep 1; [ -n "$HF_TOKEN" ] && touch ran', "creates": "~/ran"}}
    )
    (box.root / "etc/needle").write_text(f"{TOKEN}\n")
    theirs, roots = tmp_path / "theirs", tmp_path / "roots"
    with looking(box, "/etc/needle", MALLORY, theirs), looking(box, "/etc/needle", 0, roots):
        answer = laptop.type("up", "box")
    assert answer.code == 0, answer
    # Only its process's variables hold it, which the kernel shows to nobody else.
    assert b"/environ" in roots.read_bytes()
    assert b"/cmdline" not in roots.read_bytes()
    assert theirs.read_bytes() == b"begun\n"
    files = as_mallory(box, "grep -raFlsf /etc/needle /home /tmp /var/tmp /run /dev/shm /etc --exclude=needle")
    assert files.stdout == ""


# -- the scripts alone -------------------------------------------------------------------------------


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostOfOneShell:
    """A host of one shell, where we are a plain user to every program that asks."""
    host = HostOfOneShell(tmp_path, request.param, monkeypatch)
    host.stand_in("id", f"case $1 in -u) echo {os.getuid() or 4711} ;; *) echo ubuntu ;; esac")
    return host


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_an_environment_that_others_can_write_is_not_started(shell: HostOfOneShell, mode: int) -> None:
    prefix = shell.state / "envs"
    prefix.mkdir(parents=True)
    prefix.chmod(mode)
    program = Program("python.sh", (sys.executable, str(prefix), "open('ran', 'w')"))
    ended = shell.run(program)
    assert ended.code == 126
    # On stdout, where the judge of the check reads it.
    assert ended.out.startswith(b"refused: everyone can write ")
    prefix.chmod(0o755)
    assert shell.run(Program("python.sh", (sys.executable, str(prefix), "print('ran')"))).out == b"ran\n"


def test_a_file_is_not_written_through_a_link_that_was_put_there_meanwhile(shell: HostOfOneShell) -> None:
    precious = shell.home / "precious"
    precious.write_text("mine")
    path = shell.home / "file"
    shell.stand_in("rm", '/bin/rm "$@"; ln -s precious "$2"')
    assert shell.run(catalogue.write_file(str(path), "0644", b"x")).code == 73
    assert precious.read_text() == "mine"
