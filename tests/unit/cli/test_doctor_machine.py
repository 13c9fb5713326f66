"""What the doctor says of this machine: keys, agent, files of ssh, git, clock, room."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from provision.cli import doctor_machine
from provision.cli.doctor_machine import judge_machine
from provision.venv.remark import Level, Remark

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a key, known_hosts and a config, as ssh wants them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    ssh = tmp_path / ".ssh"
    ssh.mkdir(mode=0o700)
    for name in ("id_ed25519", "known_hosts", "config"):
        (ssh / name).write_text("x")
        (ssh / name).chmod(0o600)
    return tmp_path


def judged(home: Path, *keys: Path, **environ: str) -> dict[str, Remark]:
    return {one.check: one for one in judge_machine({"HOME": str(home), **environ}, keys)}


def program(folder: Path, name: str, text: str) -> None:
    """Put a program on the PATH of a test."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_a_machine_in_order_has_nothing_but_good_to_say(home: Path) -> None:
    found = judged(home)
    assert {one.level for one in found.values()} == {Level.OK}, found
    assert "one key, readable by you alone: id_ed25519" in found["ssh-keys"].text


def test_a_private_key_that_others_can_read_is_a_problem(home: Path) -> None:
    key = home / ".ssh" / "id_ed25519"
    key.chmod(0o640)
    found = judged(home)["ssh-keys-open"]
    assert (found.level, found.fix) == (Level.PROBLEM, f"chmod 600 {key}")


def test_a_public_key_may_be_read_by_all(home: Path) -> None:
    (home / ".ssh" / "id_ed25519.pub").write_text("x")
    (home / ".ssh" / "id_ed25519.pub").chmod(0o644)
    assert "ssh-keys-open" not in judged(home)


def test_keys_that_hosts_name_are_looked_at_too(home: Path) -> None:
    rental = home / "rental.pem"
    rental.write_text("x")
    rental.chmod(0o644)
    found = judged(home, rental, home / "gone.pem")
    assert found["ssh-keys-open"].names == (str(rental),)
    assert found["ssh-keys-absent"].names == (str(home / "gone.pem"),)


def test_files_of_ssh_that_others_can_write_are_problems(home: Path) -> None:
    (home / ".ssh" / "config").chmod(0o664)
    (home / ".ssh").chmod(0o770)
    found = judged(home)
    assert found["ssh-config"].level is Level.PROBLEM
    assert found["ssh-folder"].level is Level.PROBLEM


def test_a_home_without_ssh_is_told_how_to_begin(home: Path) -> None:
    for one in (home / ".ssh").iterdir():
        one.unlink()
    (home / ".ssh").rmdir()
    found = judged(home)
    assert found["ssh-folder"].level is Level.ADVICE
    assert "ssh-keys" not in found


@pytest.mark.parametrize(
    ("answer", "level", "text"),
    [
        ("echo '256 SHA256:abc me@laptop (ED25519)'; exit 0", Level.OK, "the agent has 1 key: me@laptop"),
        ("echo 'The agent has no identities.'; exit 1", Level.OK, "the agent runs and has no keys"),
        ("exit 2", Level.ADVICE, "no agent answers there"),
    ],
)
def test_the_agent_and_its_keys(
    home: Path, monkeypatch: pytest.MonkeyPatch, answer: str, level: Level, text: str
) -> None:
    program(home / "bin", "ssh-add", answer)
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")
    found = judged(home, SSH_AUTH_SOCK="/x")["ssh-agent"]
    assert found.level is level
    assert text in found.text


def test_without_ssh_and_git_it_says_what_is_lost(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home / "nothing"))
    found = judged(home)
    assert found["ssh-client"].level is Level.ADVICE
    assert found["git"].level is Level.ADVICE


@pytest.mark.parametrize(("version", "level"), [("OpenSSH_7.2p2", Level.ADVICE), ("OpenSSH_10.0p1", Level.OK)])
def test_a_client_that_is_too_old_for_jump_hosts(
    home: Path, monkeypatch: pytest.MonkeyPatch, version: str, level: Level
) -> None:
    program(home / "bin", "ssh", f"echo '{version}, OpenSSL 1.0' >&2")
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")
    assert judged(home)["ssh-client"].level is level


def test_a_program_that_hangs_is_not_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(home / "bin", "git", "exec sleep 60")
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")
    monkeypatch.setattr(doctor_machine, "PATIENCE", 0.2)
    assert judged(home)["git"].level is Level.ADVICE


@pytest.mark.parametrize("year", [1970, 2024, 2200])
def test_an_absurd_clock_is_a_problem(home: Path, monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((year, 1, 1, 0, 0, 0, 0, 1, 0)))
    assert judged(home)["clock"].level is Level.PROBLEM


def test_too_little_room_is_told_with_the_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 10 << 20

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage)
    found = judged(home)["room"]
    assert found.level is Level.PROBLEM
    assert "/.local/state/provision" in found.text
