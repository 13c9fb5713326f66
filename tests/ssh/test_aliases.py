"""Hosts that the user's ssh_config describes, resolved by the real ssh client."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ssh.reach import inventory, pinned
from tests.unit.ssh.keys import keygen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.unit.cli.typed import Desk

pytestmark = pytest.mark.lab


@pytest.fixture
def config(lab: Lab, desk: Desk) -> Iterator[Path]:
    """The ssh_config that the real client reads: it looks in the home of the password file, never in $HOME."""
    del lab
    real = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".ssh"
    made = not real.exists()
    real.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["mount", "--bind", str(desk.home / ".ssh"), str(real)], check=True)
    try:
        yield desk.home / ".ssh/config"
    finally:
        subprocess.run(["umount", str(real)], check=True)
        if made:
            real.rmdir()


def aliases(desk: Desk, **hosts: object) -> None:
    text = json.dumps({"version": 1, "hosts": hosts})
    (desk.project / "hosts.yaml").write_text(text)


def test_an_alias_gives_address_login_and_key_through_include_and_match(
    host: LabHost, desk: Desk, config: Path
) -> None:
    shutil.copy(host.key_path, config.parent / "key-of-train")
    config.write_text(
        "Include more/*.conf\n"
        'Match originalhost train exec "test -d /"\n  User ubuntu\n'
        "Match originalhost train !exec true\n  User nobody\n"
        "Host *\n  User wrong\n  ServerAliveInterval 5\n"
    )
    more = config.parent / "more"
    more.mkdir()
    (more / "a.conf").write_text(f"Host train\n  HostName {host.address}\n  IdentityFile %d/.ssh/key-of-%n\n")
    aliases(desk, box={"ssh": "train"})
    answer = desk.type("exec", "box", "--", "id -un")
    assert (answer.code, answer.out) == (0, "ubuntu\n"), answer
    assert "not honoured" not in answer.err


def test_every_key_of_an_alias_is_offered_in_its_order(host: LabHost, desk: Desk, config: Path) -> None:
    wrong = keygen(config.parent / "first")
    config.write_text(
        f"Host train\n HostName {host.address}\n User ubuntu\n IdentitiesOnly yes\n"
        f" IdentityFile {wrong}\n IdentityFile {host.key_path}\n"
    )
    aliases(desk, box={"ssh": "train"})
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 0, answer


def test_a_jump_host_in_the_alias_is_passed_and_pinned_under_its_own_name(lab: Lab, desk: Desk, config: Path) -> None:
    gate = lab.host("gate", sshd_config=("Port 22", "Port 2222"))
    inner = lab.host("inner", jump=gate)
    config.write_text(
        f"Host inside\n HostName {inner.address}\n User ubuntu\n ProxyJump ubuntu@door:2222\n"
        f"Host door\n HostName {gate.address}\n Port 22\n"
        f"Host *\n IdentityFile {gate.key_path}\n"
    )
    aliases(desk, box={"ssh": "inside"})
    answer = desk.type("exec", "box", "--", "hostname")
    assert (answer.code, answer.out) == (0, "inner\n"), answer
    assert "of " + gate.address + ":2222 recorded" in answer.err
    assert pinned(desk) == {"door": gate.host_key_fingerprint, "box": inner.host_key_fingerprint}


def test_a_changed_jump_host_of_an_alias_is_trusted_again_by_the_line_that_is_shown(
    lab: Lab, desk: Desk, config: Path
) -> None:
    far = lab.host("far", sshd_config=("Port 22", "Port 2222"))
    gate = lab.host("gate", jump=far)
    inner = lab.host("inner", jump=gate)
    config.write_text(
        f"Host inside\n HostName {inner.address}\n ProxyJump door\n"
        f"Host door\n HostName {gate.address}\n ProxyJump ubuntu@far:2222\n"
        f"Host far\n HostName {far.address}\n"
        f"Host *\n IdentityFile {gate.key_path}\n User ubuntu\n"
    )
    aliases(desk, box={"ssh": "inside"})
    assert desk.type("exec", "box", "--", "true").code == 0
    for changed in (gate, far):
        changed.change_host_key()
        refusal = desk.type("exec", "box", "--", "true")
        assert refusal.code == 3, refusal
        line = refusal.err[refusal.err.index("provision trust") :].splitlines()[0]
        trusted = desk.type(*line.split()[1:])
        assert trusted.code == 0, trusted
        answer = desk.type("exec", "box", "--", "true")
        assert answer.code == 0, answer


def test_a_changed_key_of_a_jump_host_outside_the_inventory_names_it_and_its_line_helps(
    lab: Lab, desk: Desk, config: Path
) -> None:
    gate = lab.host("gate")
    inner = lab.host("inner", jump=gate)
    config.write_text(f"Host bastion\n  HostName {gate.address}\n  User {gate.user}\n  IdentityFile {gate.key_path}\n")
    inventory(desk, inner, settings={"inner": {"jump": "bastion"}})
    first = desk.type("exec", "inner", "--", "true")
    assert first.code == 0, first
    gate.change_host_key()
    answer = desk.type("exec", "inner", "--", "true")
    assert answer.code == 3, answer
    assert f"bastion: the host key of {gate.address}:22 has changed" in answer.err
    line = answer.err[answer.err.index("provision trust") :].splitlines()[0]
    assert line == f"provision trust bastion --fingerprint {gate.host_key_fingerprint}"
    trusted = desk.type(*line.split()[1:])
    assert trusted.code == 0, trusted
    assert desk.type("exec", "inner", "--", "true").code == 0


def test_directives_that_are_not_honoured_are_said(host: LabHost, desk: Desk, config: Path) -> None:
    config.write_text(
        f"Host train\n HostName {host.address}\n User ubuntu\n IdentityFile {host.key_path}\n"
        " ForwardAgent yes\n LocalForward 8888 localhost:8888\n SetEnv A=b\n"
    )
    aliases(desk, box={"ssh": "train"})
    answer = desk.type("exec", "box", "--", "echo $SSH_AUTH_SOCK$A")
    assert (answer.code, answer.out.strip()) == (0, ""), answer
    for word in ("ForwardAgent", "LocalForward", "SetEnv"):
        assert word in answer.err


def test_a_host_key_alias_and_known_hosts_of_its_own_are_honoured(host: LabHost, desk: Desk, config: Path) -> None:
    known = config.parent / "known_train"
    known.write_text(f"train-key {host.known_hosts_lines.split(' ', 1)[1]}")
    config.write_text(
        f"Host train\n HostName {host.address}\n User ubuntu\n IdentityFile {host.key_path}\n"
        f" HostKeyAlias train-key\n UserKnownHostsFile {known}\n"
    )
    aliases(desk, box={"ssh": "train"})
    answer = desk.type("exec", "box", "--host-keys", "strict", "--", "true")
    assert answer.code == 0, answer
    host.change_host_key()
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 3, answer
    assert str(known) in answer.err


@pytest.mark.parametrize(
    "name",
    ["a;touch canary;#", "$(touch canary)", "`touch canary`", "-oProxyCommand=touch canary", "a b", "a\nb", "%n"],
)
def test_a_hostile_alias_is_refused_before_any_client_runs(desk: Desk, config: Path, name: str) -> None:
    config.write_text(f'Match exec "touch {desk.home}/canary %n"\n User x\n')
    for entry in ({"ssh": name}, {"ssh": "fine", "jump": name}):
        aliases(desk, box=entry)
        answer = desk.type("exec", "box", "--", "true")
        assert answer.code == 2, answer
        assert "hosts.yaml:1" in answer.err
    assert not (desk.home / "canary").exists()
    assert not (desk.project / "canary").exists()


def test_a_hostile_jump_in_ssh_config_is_never_asked_about(desk: Desk, config: Path) -> None:
    config.write_text(
        f'Match originalhost "!fine,*" exec "touch {desk.home}/canary"\n'
        "Host fine\n HostName 198.18.0.1\n ProxyJump user@-oProxyCommand=x\n"
    )
    aliases(desk, box={"ssh": "fine"})
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 2, answer
    assert not (desk.home / "canary").exists()


def test_without_an_ssh_client_a_plain_alias_still_works(host: LabHost, desk: Desk) -> None:
    (desk.home / ".ssh/config").write_text(
        f"Host train\n HostName {host.address}\n User ubuntu\n IdentityFile {host.key_path}\n"
    )
    aliases(desk, box={"ssh": "train"})
    answer = desk.type("exec", "box", "--", "id -un", PATH=str(desk.home))
    assert (answer.code, answer.out) == (0, "ubuntu\n"), answer
    assert "no ssh client here" in answer.err


def test_fabrics_own_configuration_is_never_executed(host: LabHost, desk: Desk, config: Path) -> None:
    config.write_text("")
    for folder in (desk.home, desk.project):
        for name in (".fabric.py", ".invoke.py", "fabfile.py", "tasks.py"):
            (folder / name).write_text(f"open({str(desk.home / 'canary')!r}, 'w')\n")
        (folder / ".fabric.yaml").write_text("run: {echo: true}\nuser: nobody\nforward_agent: true\n")
    inventory(desk, host)
    answer = desk.type("exec", "box", "--", "id -un")
    assert (answer.code, answer.out) == (0, "ubuntu\n"), answer
    assert not (desk.home / "canary").exists()
