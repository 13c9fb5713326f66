"""`provision hosts` as a user types it, against real hosts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.cli.typed import Desk, decoded

if TYPE_CHECKING:
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

PASSWORD = "correct horse' battery"
RECORDINGS = Path(__file__).parents[1] / "golden/nvidia_smi"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


def inventory(desk: Desk, *hosts: LabHost, key: bool = True, **more: object) -> None:
    entries = {
        one.name: {
            "address": one.address,
            "user": one.user,
            **({"identity_file": str(one.key_path)} if key else {}),
            **({"jump": one.jump.name} if one.jump else {}),
            **more,
        }
        for one in hosts
    }
    (desk.project / "hosts.yaml").write_text(json.dumps({"version": 1, "hosts": entries}, indent=1))


def authorized(host: LabHost) -> str:
    return host.run(f"cat {host.home}/.ssh/authorized_keys", check=True).stdout


# -- the table ----------------------------------------------------------------------------------------


def test_the_fleet_is_shown_and_a_dead_host_stops_nobody(lab: Lab, desk: Desk) -> None:
    one = lab.host("one", gpu=RECORDINGS / "a10")
    two = lab.host("two", user="root")
    dead = lab.host("dead")
    dead.stop_sshd()
    inventory(desk, one, dead, two)
    before = one.snapshot()
    answer = desk.type("hosts")
    assert answer.code == 3, answer
    rows = {line.split()[0]: line for line in answer.out.splitlines()}
    assert list(rows) == ["host", "one", "dead", "two"]
    assert "A10" in rows["one"]
    assert "yes" in rows["one"].split()
    assert "Debian" in rows["two"]
    assert rows["dead"].split()[3:5] == ["-", "no"]
    assert rows["dead"].split()[-1] == "unknown"
    assert f"dead: {dead.address}:22" in answer.err
    assert "is sshd running there" in answer.err
    assert one.snapshot() == before
    assert one.connections() == 1
    assert one.processes() == []


def test_as_json_everything_that_was_read_is_there(lab: Lab, desk: Desk) -> None:
    one, two = lab.fleet(["one", "two"])
    two.stop_sshd()
    inventory(desk, one, two, playbook="cpu")
    answer = desk.type("hosts", "--json")
    assert answer.code == 3, answer
    document = decoded(answer.out)
    assert (document["schema_version"], document["command"], document["exit_code"]) == (1, "hosts", 3)
    good, bad = document["hosts"]["one"], document["hosts"]["two"]
    assert good["outcome"] == "converged"
    assert good["error"] is None
    assert good["facts"]["system"]["user"] == "ubuntu"
    assert (good["address"], good["verdict"]) == (one.address, "unproven")
    assert bad["outcome"] == "unreachable"
    assert bad["facts"] is None
    assert bad["error"]["kind"] == "network"


def test_only_the_hosts_that_were_named_are_asked(lab: Lab, desk: Desk) -> None:
    one, two = lab.fleet(["one", "two"])
    inventory(desk, one, two)
    answer = desk.type("hosts", "list", "two")
    assert answer.code == 0, answer
    assert (one.connections(), two.connections()) == (0, 1)


def test_a_host_without_the_gpu_that_is_expected_is_told_so(lab: Lab, desk: Desk) -> None:
    host = lab.host("box")
    inventory(desk, host, expect={"gpus": 1})
    document = decoded(desk.type("hosts", "--json").out)
    assert document["exit_code"] == 0
    assert document["hosts"]["box"]["verdict"] in {"unproven", "unfit"}
    assert document["hosts"]["box"]["findings"]
    answer = desk.type("hosts")
    assert answer.code == 0
    assert "box: GPU-UNPROVEN" in answer.err


# -- install-key --------------------------------------------------------------------------------------


def rental(lab: Lab, **knobs: Any) -> LabHost:
    return lab.host("rental", password=PASSWORD, authorized=False, **knobs)


def test_a_password_only_rental_learns_the_key_and_takes_it_from_then_on(lab: Lab, desk: Desk) -> None:
    host = rental(lab)
    inventory(desk, host, key=False)
    assert desk.type("hosts").code == 3
    answer = desk.type("hosts", "install-key", "rental", "--yes", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 0, answer
    assert "without a password" in answer.out
    assert "provision plan rental" in answer.out
    public = (desk.home / ".ssh/id_ed25519.pub").read_text()
    assert authorized(host) == public
    modes = host.run(f"stat -c '%a %U' {host.home}/.ssh {host.home}/.ssh/authorized_keys").stdout.split()
    assert modes == ["700", host.user, "600", host.user]
    assert desk.type("hosts").code == 0
    assert PASSWORD not in answer.out + answer.err

    again = desk.type("hosts", "install-key", "rental")
    assert again.code == 0, again
    assert "there already" in again.err
    assert authorized(host) == public


def test_at_a_terminal_the_password_is_asked_once_and_never_shown(lab: Lab, desk: Desk) -> None:
    host = rental(lab)
    inventory(desk, host, key=False)
    with desk.sit("hosts", "install-key", "rental") as terminal:
        terminal.expect("There is no key here yet")
        terminal.answer("y")
        terminal.expect("Password of ubuntu on rental")
        terminal.answer(PASSWORD)
        assert terminal.end() == 0, terminal.said
    assert terminal.said.count("Password of") == 1
    assert PASSWORD not in terminal.said
    assert authorized(host) == (desk.home / ".ssh/id_ed25519.pub").read_text()


def test_a_no_makes_no_key_and_connects_to_nothing(lab: Lab, desk: Desk) -> None:
    host = rental(lab)
    inventory(desk, host, key=False)
    with desk.sit("hosts", "install-key", "rental") as terminal:
        terminal.expect("There is no key here yet")
        terminal.answer("n")
        assert terminal.end() == 2, terminal.said
    assert list((desk.home / ".ssh").iterdir()) == []
    assert host.connections() == 0


def test_a_wrong_password_is_one_try_and_changes_nothing(lab: Lab, desk: Desk) -> None:
    host = rental(lab)
    inventory(desk, host)
    answer = desk.type("hosts", "install-key", "rental", PROVISION_SSH_PASSWORD="wrong")
    assert answer.code == 3, answer
    assert host.connections() == 1
    assert host.run(f"cat {host.home}/.ssh/authorized_keys").stdout == ""


def test_without_a_terminal_and_a_password_it_says_how_to_give_one(lab: Lab, desk: Desk) -> None:
    inventory(desk, rental(lab))
    answer = desk.type("hosts", "install-key", "rental")
    assert answer.code == 3, answer
    assert "PROVISION_SSH_PASSWORD" in answer.err


def test_the_keys_of_others_stay_in_a_container_where_root_is_the_only_login(lab: Lab, desk: Desk) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP1of0e1yL7Tg0CCDLf1pPiKj/Xj1jAS4b0p+JmEAvZk colleague"
    host = rental(lab, container=True, rc_noise=True)
    host.run("mkdir -p /root/.ssh && cat >/root/.ssh/authorized_keys", stdin=other, check=True)
    inventory(desk, host)
    answer = desk.type("hosts", "install-key", "rental", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 0, answer
    first, second = authorized(host).splitlines()
    assert first == other
    assert second.split()[:2] == host.key_path.with_name(host.key_path.name + ".pub").read_text().split()[:2]


def test_a_home_that_others_can_write_is_named_when_the_key_is_refused(lab: Lab, desk: Desk) -> None:
    host = rental(lab)
    host.run(f"chmod 777 {host.home}", check=True)
    inventory(desk, host)
    answer = desk.type("hosts", "install-key", "rental", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 3, answer
    assert f"chmod go-w {host.home}" in answer.err


def test_a_host_that_takes_no_keys_at_all_is_not_called_done(lab: Lab, desk: Desk) -> None:
    host = rental(lab, sshd_config=("PubkeyAuthentication no",))
    inventory(desk, host)
    answer = desk.type("hosts", "install-key", "rental", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 3, answer
    assert "no login with it is proven" in answer.err


def test_a_key_with_a_passphrase_that_nobody_gives_is_installed_and_said_to_be_unproven(lab: Lab, desk: Desk) -> None:
    host = rental(lab)
    key = desk.home / ".ssh/id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", key], check=True)
    inventory(desk, host, key=False)
    answer = desk.type("hosts", "install-key", "rental", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 3, answer
    assert f"ssh-add {key}" in answer.err
    with desk.sit("hosts", "install-key", "rental") as terminal:
        terminal.expect("Passphrase of")
        terminal.answer("secret")
        assert terminal.end() == 0, terminal.said
    assert terminal.said.count("Passphrase of") == 1
    assert "there already" in terminal.said


def test_a_full_disk_is_told_and_the_file_stays(lab: Lab, desk: Desk) -> None:
    host = rental(lab, home_size=1 << 20)
    host.run(
        f"mkdir -p {host.home}/.ssh; head -c 2000000 /dev/zero >{host.home}/fill; chown -R ubuntu {host.home}/.ssh"
    )
    inventory(desk, host)
    answer = desk.type("hosts", "install-key", "rental", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 4, answer
    assert "was not installed" in answer.err
    assert host.run(f"ls -A {host.home}/.ssh").stdout == ""


def test_through_a_jump_host_the_password_goes_to_the_rental_alone(lab: Lab, desk: Desk) -> None:
    bastion = lab.host("bastion")
    host = lab.host("rental", jump=bastion, password=PASSWORD, authorized=False)
    inventory(desk, bastion, host)
    answer = desk.type("hosts", "install-key", "rental", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 0, answer
    assert "Accepted password" not in bastion.sshd_log()
    assert host.sshd_log().count("Accepted password") == 1
    assert host.sshd_log().count("Accepted publickey") == 1


def test_init_and_add_lead_to_a_host_that_is_shown(host: LabHost, desk: Desk) -> None:
    (desk.home / ".ssh/id_ed25519").write_bytes(host.key_path.read_bytes())
    (desk.home / ".ssh/id_ed25519").chmod(0o600)
    first = desk.type("init", "--ssh", f"ssh {host.user}@{host.address}", "--name", "box")
    assert first.code == 0, first
    assert desk.type("hosts", "add", "again", f"ssh -p 22 root@{host.address}").code == 0
    answer = desk.type("hosts")
    assert answer.code == 0, answer
    assert [line.split()[:3] for line in answer.out.splitlines()[1:]] == [
        ["box", f"{host.address}:22", "ubuntu"],
        ["again", f"{host.address}:22", "root"],
    ]
