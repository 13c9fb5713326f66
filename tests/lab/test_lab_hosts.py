"""A host of the laboratory is a machine of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import paramiko
import pytest

from tests.lab.knobs import MIB, LoginShell
from tests.lab.machine import wait_until

if TYPE_CHECKING:
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


def client_of(host: LabHost, key_filename: str | None = None, password: str | None = None) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    for line in host.known_hosts_lines.splitlines():
        entry = paramiko.hostkeys.HostKeyEntry.from_line(line)
        assert entry is not None
        client.get_host_keys().add(host.address, entry.key.get_name(), entry.key)
    client.connect(
        host.address,
        username=host.user,
        look_for_keys=False,
        allow_agent=False,
        key_filename=key_filename,
        password=password,
    )
    return client


def commands(host: LabHost) -> list[tuple[int, str]]:
    return [(process.uid, process.command) for process in host.processes()]


def test_a_real_ssh_client_logs_in_as_the_user_and_as_root(host: LabHost) -> None:
    answer = host.ssh("id -un; hostname; pwd")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "ubuntu\nbox\n/home/ubuntu\n", "")
    assert host.ssh("id -u", user="root").stdout == "0\n"
    assert host.connections() == 2


def test_the_developers_files_are_not_on_the_host(host: LabHost) -> None:
    here = Path(__file__)
    for path in (here, Path.home() / ".profile", Path("/tmp"), Path("/usr/local/bin")):
        assert path.exists() or path.name == ".profile"
    seen = host.run(f"ls -A /home /tmp /usr/local/bin; test -e {here}; echo $?").stdout.split()
    assert seen == ["/home:", "ubuntu", "/tmp:", "/usr/local/bin:", "1"]


def test_a_write_on_the_host_stays_on_the_host(host: LabHost) -> None:
    host.run("touch /etc/written /tmp/written && echo changed >/etc/hostname", check=True)
    assert (host.root / "etc/written").exists()
    assert not Path("/etc/written").exists()
    assert not Path("/tmp/written").exists()


def test_two_hosts_have_their_own_names_ids_and_keys(lab: Lab) -> None:
    one, two = lab.fleet(["one", "two"])
    question = "cat /etc/machine-id /etc/hostname /proc/sys/kernel/random/boot_id"
    assert not set(one.run(question).stdout.split()) & set(two.run(question).stdout.split())
    assert one.host_key_fingerprint != two.host_key_fingerprint
    assert one.address != two.address
    assert one.ssh(f"bash -c 'echo >/dev/tcp/{two.address}/22' && echo reached").stdout == "reached\n"


def test_the_fingerprint_is_the_one_that_the_server_offers(host: LabHost) -> None:
    with client_of(host, key_filename=str(host.key_path)) as client:
        transport = client.get_transport()
        assert transport is not None
        assert transport.get_remote_server_key().fingerprint == host.host_key_fingerprint


def test_a_host_can_have_keys_of_several_types(lab: Lab) -> None:
    host = lab.host(host_key_types=("ed25519", "ecdsa", "rsa"))
    offered = subprocess.run(["ssh-keyscan", host.address], capture_output=True, text=True, check=True)
    assert sorted(offered.stdout.splitlines()) == sorted(host.known_hosts_lines.splitlines())
    assert len({host.fingerprint(kind) for kind in host.knobs.host_key_types}) == 3


def test_a_changed_host_key_is_offered_at_the_next_connection(host: LabHost) -> None:
    before, known = host.host_key_fingerprint, host.known_hosts_lines
    host.change_host_key()
    assert host.host_key_fingerprint != before
    assert host.known_hosts_lines != known
    with client_of(host, key_filename=str(host.key_path)) as client:
        transport = client.get_transport()
        assert transport is not None
        assert transport.get_remote_server_key().fingerprint == host.host_key_fingerprint


def test_a_reboot_keeps_the_disk_and_changes_the_boot_id(host: LabHost) -> None:
    before = host.boot_id
    host.ssh("touch kept; nohup sleep 1000 >/dev/null 2>&1 &")
    host.run("touch /run/lost", check=True)
    host.reboot()
    assert host.boot_id != before
    assert host.ssh("cat /proc/sys/kernel/random/boot_id; ls; ls /run").stdout.split() == [
        host.boot_id,
        "kept",
        *("lock", "sshd", "sshd.pid"),
    ]
    assert [process for process in host.processes() if "sleep" in process.command] == []


def test_processes_lists_what_runs_inside_and_only_that(host: LabHost) -> None:
    assert host.processes() == []
    host.ssh("setsid sleep 1234 >/dev/null 2>&1 &")
    wait_until(lambda: commands(host) == [(1000, "sleep 1234")], f"processes: {host.processes()}", seconds=5)


def test_a_snapshot_shows_a_write_and_nothing_else(host: LabHost) -> None:
    host.ssh("true")
    before = host.snapshot()
    host.ssh("cat .profile /etc/passwd; ls / >/dev/null")
    assert host.snapshot() == before
    host.ssh("echo new >file")
    changed = {path for path, entry in host.snapshot().items() if before.get(path) != entry}
    assert changed == {"/home/ubuntu", "/home/ubuntu/file"}


def test_a_snapshot_shows_a_file_that_came_and_went(host: LabHost) -> None:
    before = host.snapshot()
    host.ssh("touch file && rm file")
    assert host.snapshot() != before


@pytest.mark.parametrize("shell", [shell for shell in get_args(LoginShell) if shell != "nologin"])
def test_every_login_shell_runs_a_command(lab: Lab, shell: LoginShell) -> None:
    host = lab.host(login_shell=shell)
    answer = host.ssh("ls -l /proc/$$/exe; true" if shell != "fish" else "ls -l /proc/$fish_pid/exe; true")
    assert answer.returncode == 0
    assert Path(answer.stdout.split()[-1]).name == shell


def test_nologin_refuses_a_command(lab: Lab) -> None:
    answer = lab.host(login_shell="nologin").ssh("true")
    assert answer.returncode == 1
    assert "not available" in answer.stdout


@pytest.mark.parametrize("shell", ["bash", "fish", "tcsh", "zsh"])
def test_noisy_rc_files_print_to_both_streams(lab: Lab, shell: LoginShell) -> None:
    answer = lab.host(login_shell=shell, rc_noise=True).ssh("echo answer")
    assert answer.stdout.endswith("\nanswer\n")
    assert "\x1b[1;32m" in answer.stdout
    assert len(answer.stderr.splitlines()) == 2


def test_a_missing_program_is_missing(lab: Lab) -> None:
    host = lab.host(without=("curl", "python3"))
    assert host.ssh("command -v curl python3").stdout == ""
    assert host.ssh("command -v wget").stdout == "/usr/bin/wget\n"


def test_a_small_home_fills_up(lab: Lab) -> None:
    host = lab.host(home_size=2 * MIB)
    answer = host.ssh("head -c 4000000 /dev/zero >big")
    assert answer.returncode != 0
    assert "No space left on device" in answer.stderr
    assert "/home/ubuntu/big" in host.snapshot()
    host.reboot()
    assert host.ssh("ls").stdout == "big\n"


def test_a_small_disk_fills_up(lab: Lab) -> None:
    answer = lab.host(disk_size=4 * MIB).ssh("head -c 8000000 /dev/zero >/tmp/big")
    assert "No space left on device" in answer.stderr


def test_a_container_knows_only_root_and_has_neither_systemd_nor_sudo(lab: Lab) -> None:
    host = lab.host(container=True)
    answer = host.ssh("id -un; df --output=size -B1M /dev/shm | tail -1; command -v sudo systemctl; ls -d /.docker*")
    assert answer.stdout.split() == ["root", "64", "/.dockerenv"]
    assert host.ssh("true", user="ubuntu").returncode == 255


def test_an_ordinary_host_does_not_look_like_a_container(host: LabHost) -> None:
    assert host.ssh("test -e /.dockerenv").returncode == 1


@pytest.mark.parametrize(("rule", "silent", "asked"), [("none", 127, 127), ("nopasswd", 0, 0), ("password", 1, 0)])
def test_sudo_follows_its_rule(lab: Lab, rule: str, silent: int, asked: int) -> None:
    host = lab.host(sudo=rule)
    assert host.ssh("sudo -n true").returncode == silent
    answer = host.ssh(f"echo '{host.knobs.sudo_password}' | sudo -S -p '' id -u")
    assert (answer.returncode if rule == "none" else answer.stdout) == (asked if rule == "none" else "0\n")


def test_a_password_logs_in_where_no_key_is_authorized(lab: Lab) -> None:
    host = lab.host(password="rented", authorized=False)
    assert host.ssh("true").returncode == 255
    with client_of(host, password="rented") as client:
        assert client.exec_command("id -un")[1].read() == b"ubuntu\n"
    with pytest.raises(paramiko.AuthenticationException):
        client_of(host, password="guessed")


def test_a_second_session_is_refused_with_max_sessions_one(lab: Lab) -> None:
    host = lab.host(max_sessions=1)
    with client_of(host, key_filename=str(host.key_path)) as client:
        transport = client.get_transport()
        assert transport is not None
        first = transport.open_session()
        with pytest.raises(paramiko.ChannelException):
            transport.open_session()
        first.close()


def test_a_gateway_refuses_commands_and_forwards_ports(lab: Lab) -> None:
    gateway = lab.host("gateway", exec_refused=True)
    inner = lab.host("inner", jump=gateway)
    assert gateway.ssh("true").returncode == 1
    assert inner.ssh("hostname").stdout == "inner\n"


def test_a_host_behind_a_jump_host_is_reached_only_through_it(lab: Lab) -> None:
    jump = lab.host("jump")
    inner = lab.host("inner", jump=jump, latency_ms=1)
    assert inner.ssh("hostname").stdout == "inner\n"
    direct = subprocess.run(
        ["ssh", "-F", "none", "-o", "ConnectTimeout=2", inner.address, "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "unreachable" in direct.stderr


def test_a_file_of_the_machine_can_be_shown_read_only(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("here")
    tmp_path.chmod(0o755)
    host = lab.host(binds=((tmp_path, "/opt/shown"),), files=(("/home/ubuntu/.bashrc", "x=1\n", 0o600),))
    assert host.ssh("cat /opt/shown/data; stat -c %U:%a .bashrc").stdout == "hereubuntu:600\n"
    assert "Read-only" in host.run("touch /opt/shown/new").stderr
