"""How a user gets in: keys, the agent, certificates, passwords, against real servers."""

from __future__ import annotations

import shutil
import subprocess
import termios
from typing import TYPE_CHECKING, Any

import pytest

from tests.ssh.reach import inventory
from tests.unit.ssh.keys import keygen
from tests.unit.ssh.servers import agent

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.unit.cli.typed import Desk

pytestmark = pytest.mark.lab

PASSWORD = "correct horse' battery"


def authorize(host: LabHost, *keys: Path) -> None:
    text = "".join(key.with_name(key.name + ".pub").read_text() for key in keys)
    host.run("cat > ~/.ssh/authorized_keys; chmod 600 ~/.ssh/authorized_keys", user="ubuntu", stdin=text, check=True)


def without_key(desk: Desk, *hosts: LabHost, **more: object) -> None:
    inventory(desk, *hosts, settings={one.name: {"identity_file": None, **more} for one in hosts})


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", ()), ("ecdsa", ("-b", "521")), ("rsa", ("-b", "3072"))])
def test_a_default_key_of_each_kind_logs_in(host: LabHost, desk: Desk, kind: str, bits: tuple[str, ...]) -> None:
    authorize(host, keygen(desk.home / f".ssh/id_{kind}", kind, "", *bits))
    without_key(desk, host)
    for _ in range(3):
        answer = desk.type("exec", "box", "--", "true")
        assert answer.code == 0, answer
    assert "Failed publickey" not in host.sshd_log()


def test_the_right_key_among_many_is_found_within_the_servers_tries(host: LabHost, desk: Desk, tmp_path: Path) -> None:
    for kind in ("ed25519", "ecdsa", "rsa"):
        keygen(desk.home / f".ssh/id_{kind}", kind)
    good = keygen(tmp_path / "good")
    authorize(host, good)
    without_key(desk, host)
    with agent(tmp_path, good) as path:
        for _ in range(5):
            answer = desk.type("exec", "box", "--", "true", SSH_AUTH_SOCK=path)
            assert answer.code == 0, answer
    assert host.connections() == 5


def test_six_wrong_keys_in_the_agent_do_not_keep_the_chosen_one_out(host: LabHost, desk: Desk, tmp_path: Path) -> None:
    wrong = [keygen(tmp_path / f"wrong{number}") for number in range(6)]
    inventory(desk, host)
    with agent(tmp_path, *wrong) as path:
        answer = desk.type("exec", "box", "--", "true", SSH_AUTH_SOCK=path)
    assert answer.code == 0, answer
    assert host.connections() == 1


def test_with_wrong_keys_alone_one_attempt_is_made_and_every_key_is_named(
    host: LabHost, desk: Desk, tmp_path: Path
) -> None:
    wrong = [keygen(tmp_path / f"wrong{number}") for number in range(7)]
    without_key(desk, host)
    with agent(tmp_path, *wrong) as path:
        answer = desk.type("exec", "box", "--", "true", SSH_AUTH_SOCK=path)
    assert answer.code == 3, answer
    assert host.connections() == 1
    assert "agent key 'wrong0'" in answer.err
    assert "identity_file" in answer.err
    assert "Too many authentication failures" not in host.sshd_log()


def certify(folder: Path, key: Path, *options: str) -> Path:
    authority = keygen(folder / "authority")
    command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "dev", *options, str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return authority.with_name("authority.pub")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_certificate_beside_the_key_logs_in(lab: Lab, desk: Desk, tmp_path: Path, kind: str) -> None:
    key = keygen(desk.home / ".ssh/work", kind)
    authority = certify(tmp_path, key, "-n", "ubuntu", "-V", "+1h")
    host = lab.host(
        "box",
        authorized=False,
        files=(("/etc/ssh/authority.pub", authority.read_text(), 0o644),),
        sshd_config=("TrustedUserCAKeys /etc/ssh/authority.pub",),
    )
    inventory(desk, host, settings={"box": {"identity_file": "~/.ssh/work"}})
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 0, answer
    assert "-CERT " in host.sshd_log()


def test_an_expired_certificate_does_not_keep_the_plain_key_out(host: LabHost, desk: Desk, tmp_path: Path) -> None:
    key = keygen(desk.home / ".ssh/id_ed25519")
    certify(tmp_path, key, "-n", "ubuntu", "-V", "20200101:20200102")
    authorize(host, key)
    without_key(desk, host)
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 0, answer


def test_a_passphrase_is_asked_once_for_many_hosts(lab: Lab, desk: Desk) -> None:
    hosts = lab.fleet([f"h{number}" for number in range(4)])
    key = keygen(desk.home / ".ssh/id_ed25519", "ed25519", "opensesame")
    for one in hosts:
        authorize(one, key)
    without_key(desk, *hosts)
    with desk.sit("exec", "all", "--", "echo in") as terminal:
        terminal.expect("assphrase")
        terminal.answer("opensesame")
        assert terminal.end() == 0, terminal.said
    assert terminal.said.count("Passphrase of") == 1
    assert terminal.said.count("| in") == 4
    assert "opensesame" not in terminal.said


def test_an_encrypted_key_is_no_question_where_nobody_can_answer(host: LabHost, desk: Desk) -> None:
    authorize(host, keygen(desk.home / ".ssh/id_ed25519", "ed25519", "opensesame"))
    without_key(desk, host)
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 3, answer
    key = desk.home / ".ssh/id_ed25519"
    assert (
        f"~/.ssh/id_ed25519: it has a passphrase, and there is no terminal to ask for it: ssh-add {key}" in answer.err
    )


def test_three_wrong_passphrases_are_enough_for_all_hosts_and_the_key_is_named(lab: Lab, desk: Desk) -> None:
    hosts = lab.fleet(["one", "two"])
    key = keygen(desk.home / ".ssh/id_ed25519", "ed25519", "opensesame")
    for one in hosts:
        authorize(one, key)
    without_key(desk, *hosts)
    with desk.sit("exec", "all", "--", "true") as terminal:
        for attempt in range(3):
            terminal.expect(f"{'Wrong. ' if attempt else ''}Passphrase of {key}: ")
            terminal.answer("wrong")
        assert terminal.end() == 3, terminal.said
    assert terminal.said.count("Passphrase of") == 3
    assert terminal.said.count(f"it has a passphrase, and 3 wrong ones were given: ssh-add {key}") == 2


@pytest.mark.parametrize("command", [("exec", "all", "--", "true"), ("ssh", "box"), ("hosts",), ("plan", "all")])
@pytest.mark.parametrize("kind", ["passphrase", "password"])
def test_ctrl_c_at_a_question_ends_the_run_and_gives_the_terminal_back(
    lab: Lab, desk: Desk, command: tuple[str, ...], kind: str
) -> None:
    host = lab.host("box", password=PASSWORD)
    if kind == "passphrase":
        authorize(host, keygen(desk.home / ".ssh/id_ed25519", "ed25519", "opensesame"))
    without_key(desk, host)
    (desk.project / "environment.yml").write_text("name: mymodel\ndependencies:\n- python=3.11\n")
    with desk.sit(*command) as terminal:
        before = termios.tcgetattr(terminal._master)
        terminal.expect("Passphrase of" if kind == "passphrase" else "Password of ubuntu on box: ")
        terminal.press(b"\x03")
        assert terminal.end() == 130, terminal.said
        assert termios.tcgetattr(terminal._master) == before
    assert host.sshd_log().count("Accepted") == 0


def test_a_password_for_the_host_is_not_sent_to_the_jump_host_on_the_way(lab: Lab, desk: Desk) -> None:
    gate = lab.host("gate", password=PASSWORD)
    inner = lab.host("inner", jump=gate, password=PASSWORD, authorized=False)
    inventory(desk, gate, inner, settings={"inner": {"identity_file": None}})
    answer = desk.type("exec", "inner", "--", "true", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 0, answer
    inventory(desk, gate, inner, settings={"inner": {"identity_file": None}, "gate": {"identity_file": None}})
    answer = desk.type("exec", "inner", "--", "true", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 3, answer
    assert "gate: " in answer.err
    assert "PROVISION_SSH_PASSWORD is never sent to a jump host" in answer.err
    assert "Accepted password" not in gate.sshd_log()
    assert "Failed password" not in gate.sshd_log()
    with desk.sit("exec", "inner", "--", "echo in") as terminal:
        terminal.expect("Password of ubuntu on the jump host gate: ")
        terminal.answer(PASSWORD)
        terminal.expect("Password of ubuntu on inner: ")
        terminal.answer(PASSWORD)
        assert terminal.end() == 0, terminal.said


def test_a_password_comes_from_the_environment_or_from_a_prompt(lab: Lab, desk: Desk) -> None:
    host = lab.host("box", password=PASSWORD, authorized=False)
    without_key(desk, host)
    answer = desk.type("exec", "box", "--", "true", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 0, answer
    with desk.sit("exec", "box", "--", "echo in") as terminal:
        terminal.expect("Password of ubuntu on box: ")
        terminal.answer(PASSWORD)
        assert terminal.end() == 0, terminal.said
    assert PASSWORD not in terminal.said


def test_a_wrong_password_is_one_attempt_and_is_never_shown(lab: Lab, desk: Desk) -> None:
    host = lab.host("box", password=PASSWORD, authorized=False)
    without_key(desk, host)
    answer = desk.type("exec", "box", "--", "true", PROVISION_SSH_PASSWORD="wrong-password")
    assert answer.code == 3, answer
    assert "wrong-password" not in answer.err + answer.out
    assert host.connections() == 1


def test_a_key_that_others_can_read_is_refused_with_the_command_to_type(host: LabHost, desk: Desk) -> None:
    loose = desk.home / ".ssh/loose"
    shutil.copy(host.key_path, loose)
    loose.chmod(0o644)
    inventory(desk, host, settings={"box": {"identity_file": "~/.ssh/loose"}})
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 3, answer
    assert f"chmod 600 {loose}" in answer.err


def test_the_agent_is_never_forwarded(host: LabHost, desk: Desk, tmp_path: Path) -> None:
    inventory(desk, host)
    with agent(tmp_path, host.key_path) as path:
        answer = desk.type("exec", "box", "--", 'echo "[$SSH_AUTH_SOCK]"', SSH_AUTH_SOCK=path)
        with desk.sit("ssh", "box", "--", 'echo "[$SSH_AUTH_SOCK]"', SSH_AUTH_SOCK=path) as terminal:
            assert terminal.end() == 0, terminal.said
    assert answer.out == "[]\n", answer
    assert "[]" in terminal.said
    assert "auth-agent" not in host.sshd_log()


@pytest.mark.parametrize("user", ["nobody", "absent"])
def test_an_account_that_may_not_log_in_is_explained_after_one_attempt(host: LabHost, desk: Desk, user: str) -> None:
    inventory(desk, host, settings={"box": {"user": user}})
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 3, answer
    assert f"log in as {user}" in answer.err
    assert host.connections() == 1


def test_a_second_factor_that_cannot_be_given_is_named(lab: Lab, desk: Desk) -> None:
    knobs: dict[str, Any] = {"password": PASSWORD, "sshd_config": ("AuthenticationMethods publickey,password",)}
    host = lab.host("box", **knobs)
    inventory(desk, host)
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 3, answer
    assert "second factor (password)" in answer.err
    answer = desk.type("exec", "box", "--", "true", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 0, answer
