"""`provision init`: what it writes, and what it never touches."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from provision.cli import written
from provision.environment.spec import load_spec
from provision.errors import UsageError
from provision.inventory import load_inventory
from tests.unit.cli.typed import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.typed import Desk

COMMAND = "ssh -p 31893 root@connect.example"


def ssh_config(desk: Desk) -> None:
    (desk.home / ".ssh/config").write_text("Host gpu-box bastion\n  HostName 203.0.113.4\nHost *.internal\n")


def files(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.name != ".git")


def test_without_a_terminal_and_without_a_machine_it_says_the_three_ways_and_writes_nothing(desk: Desk) -> None:
    answer = desk.type("init")
    assert answer.code == 2
    for way in ("--from-ssh ALIAS", "--ssh 'ssh -p 2222 root@203.0.113.10'", "on a terminal"):
        assert way in answer.err
    assert files(desk.project) == []


def test_a_pasted_ssh_command_becomes_the_default_host(desk: Desk) -> None:
    answer = desk.type("init", "--ssh", COMMAND, "--name", "rental")
    assert answer.code == 0, answer
    assert "wrote hosts.yaml: rental" in answer.out
    assert answer.out.endswith("next: provision plan rental\n")
    inventory = load_inventory(desk.project / "hosts.yaml")
    assert inventory.default == "rental"
    host = inventory.resolve("rental")
    assert (host.address, host.port, host.user) == ("connect.example", 31893, "root")
    assert "provision hosts add" in (desk.project / "hosts.yaml").read_text()


def test_the_files_name_nothing_of_this_machine_for_they_are_committed(desk: Desk) -> None:
    (desk.project / "requirements.txt").write_text("numpy\n")
    assert desk.type("init", "--ssh", COMMAND).code == 0
    for name in ("hosts.yaml", "environment.yml"):
        text = (desk.project / name).read_text()
        assert "$schema" not in text
        assert not any(place in text for place in (str(desk.home), str(REPOSITORY)))


def test_a_tunnel_in_the_pasted_command_is_left_out_and_told(desk: Desk) -> None:
    answer = desk.type("init", "--ssh", f"{COMMAND} -L 8080:localhost:8080")
    assert answer.code == 0, answer
    assert "left out of the ssh command: -L 8080:localhost:8080\n" in answer.err
    assert load_inventory(desk.project / "hosts.yaml").resolve("gpu-box").port == 31893


def test_a_command_that_switches_host_keys_off_is_taken_and_they_are_checked_all_the_same(desk: Desk) -> None:
    answer = desk.type("init", "--ssh", "ssh -o StrictHostKeyChecking=no -p 31893 root@h.example")
    assert answer.code == 0, answer
    assert "-o StrictHostKeyChecking=no (host keys are always checked)" in answer.err
    answer = desk.type("hosts", "add", "two", "ssh -o UserKnownHostsFile=/dev/null root@two.example")
    assert answer.code == 0, answer
    assert "host keys are always checked" in answer.err
    text = (desk.project / "hosts.yaml").read_text()
    assert "StrictHost" not in text
    assert "address: two.example" in text


def test_hosts_of_ssh_config_stay_aliases_and_several_have_no_default(desk: Desk) -> None:
    ssh_config(desk)
    answer = desk.type("init", "--from-ssh", "gpu-box", "bastion")
    assert answer.code == 0, answer
    inventory = load_inventory(desk.project / "hosts.yaml")
    assert inventory.default is None
    assert [inventory.alias_of(one) for one in ("gpu-box", "bastion")] == ["gpu-box", "bastion"]


def test_a_misspelt_alias_is_refused_with_the_near_one(desk: Desk) -> None:
    ssh_config(desk)
    answer = desk.type("init", "--from-ssh", "gpubox")
    assert answer.code == 2
    assert "did you mean 'gpu-box'" in answer.err
    assert files(desk.project) == []


@pytest.mark.parametrize(
    "command", ["ssh -w 0:0 root@h.example", "sshh -p 22 root@h", "", "ssh root@h.example nvidia-smi", "ssh -p x@y"]
)
def test_a_command_that_is_no_login_is_refused_and_nothing_is_written(desk: Desk, command: str) -> None:
    assert desk.type("init", "--ssh", command).code == 2
    assert files(desk.project) == []


def test_a_second_run_says_what_is_there_and_leaves_every_byte(desk: Desk) -> None:
    (desk.project / "requirements.txt").write_text("numpy\n")
    assert desk.type("init", "--ssh", COMMAND).code == 0
    before = {one: (desk.project / one).read_bytes() for one in files(desk.project)}
    for words in (["init"], ["init", "--ssh", COMMAND]):
        again = desk.type(*words)
        assert again.code == 0, again
        assert "hosts.yaml is there already: left as it is" in again.out
        assert "environment.yml is there already: left as it is" in again.out
    assert {one: (desk.project / one).read_bytes() for one in files(desk.project)} == before


def test_another_machine_is_not_lost_silently_where_hosts_yaml_exists(desk: Desk) -> None:
    assert desk.type("init", "--ssh", COMMAND).code == 0
    before = (desk.project / "hosts.yaml").read_bytes()
    answer = desk.type("init", "--ssh", "ssh root@other.example", "--name", "other")
    assert answer.code == 2
    assert "provision hosts add other 'ssh root@other.example'" in answer.err
    assert (desk.project / "hosts.yaml").read_bytes() == before


def test_a_dangling_link_is_not_written_through(desk: Desk) -> None:
    (desk.project / "hosts.yaml").symlink_to(desk.home / "elsewhere.yaml")
    desk.type("init", "--ssh", COMMAND)
    assert not (desk.home / "elsewhere.yaml").exists()


def test_a_hosts_yaml_of_the_project_above_counts(desk: Desk) -> None:
    assert desk.type("init", "--ssh", COMMAND).code == 0
    inner = desk.project / "src"
    inner.mkdir()
    answer = desk.type("init", cwd=inner)
    assert answer.code == 0, answer
    assert f"{desk.project / 'hosts.yaml'} is there already" in answer.out
    assert files(inner) == []


def test_a_named_folder_is_made(desk: Desk) -> None:
    answer = desk.type("init", str(desk.home / "new"), "--ssh", COMMAND)
    assert answer.code == 0, answer
    assert files(desk.home / "new") == ["hosts.yaml"]


def test_hosts_yaml_is_never_writable_by_a_group_whatever_the_umask(desk: Desk) -> None:
    old = os.umask(0o002)
    try:
        assert desk.type("init", "--ssh", COMMAND).code == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE((desk.project / "hosts.yaml").stat().st_mode) == 0o644


def test_environment_yml_is_written_from_requirements_and_means_the_same(desk: Desk) -> None:
    (desk.project / "requirements.txt").write_text("# cuda 12.4\ntorch==2.4.0  # the one\nnumpy>=1.26,<2\n")
    (desk.project / ".python-version").write_text("3.12.3\n")
    answer = desk.type("init", "--ssh", COMMAND)
    assert answer.code == 0, answer
    assert "wrote environment.yml from requirements.txt: Python 3.12 from .python-version" in answer.out
    text = (desk.project / "environment.yml").read_text()
    assert "# cuda 12.4" in text
    assert "# the one" in text
    spec = load_spec(desk.project / "environment.yml", "mymodel", desk.project)
    assert spec.name == "mymodel"
    assert spec.channels == ("conda-forge",)
    assert spec.dependencies == ("python=3.12", "pip")
    assert spec.pip == ("torch==2.4.0", "numpy>=1.26,<2")


def test_a_project_that_names_its_environment_gets_no_other(desk: Desk) -> None:
    (desk.project / "requirements.txt").write_text("numpy\n")
    (desk.project / "conda.yml").write_text("dependencies: [python]\n")
    (desk.project / "provision.yaml").write_text("environment: conda.yml\n")
    answer = desk.type("init", "--ssh", COMMAND)
    assert answer.code == 0, answer
    assert "conda.yml is there already" in answer.out
    assert "environment.yml" not in files(desk.project)


def test_an_environment_yaml_counts_as_one(desk: Desk) -> None:
    (desk.project / "requirements.txt").write_text("numpy\n")
    (desk.project / "environment.yaml").write_text("dependencies: [python]\n")
    assert desk.type("init", "--ssh", COMMAND).code == 0
    assert "environment.yml" not in files(desk.project)


def test_a_requirements_file_that_cannot_be_read_leaves_nothing_half_written(desk: Desk) -> None:
    (desk.project / "requirements.txt").write_bytes(b"numpy\n\xff\xfe\n")
    answer = desk.type("init", "--ssh", COMMAND)
    assert answer.code == 2
    assert "requirements.txt:2" in answer.err
    assert files(desk.project) == ["requirements.txt"]


def test_at_a_terminal_aliases_are_chosen_by_number_and_machines_described(desk: Desk) -> None:
    ssh_config(desk)
    with desk.sit("init") as terminal:
        terminal.expect("Which of them")
        terminal.answer("7")
        terminal.expect("is none of them")
        terminal.answer("2")
        terminal.expect("One more machine")
        terminal.answer("ssh -w 0:0 root@h.example")
        terminal.expect("is not taken here")
        terminal.answer("203.0.113.9")
        terminal.expect("Login name")
        terminal.answer("ubuntu")
        terminal.expect("Port [22]")
        terminal.answer("2200")
        terminal.expect("Name for it [gpu-box]")
        terminal.answer("")
        terminal.expect("One more machine")
        terminal.answer("")
        assert terminal.end() == 0, terminal.said
    inventory = load_inventory(desk.project / "hosts.yaml")
    assert list(inventory.hosts) == ["bastion", "gpu-box"]
    host = inventory.resolve("gpu-box")
    assert (host.address, host.port, host.user) == ("203.0.113.9", 2200, "ubuntu")


@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["ctrl-c", "ctrl-d"])
def test_who_gives_up_in_the_questions_leaves_nothing_behind(desk: Desk, key: bytes) -> None:
    (desk.project / "requirements.txt").write_text("numpy\n")
    with desk.sit("init") as terminal:
        terminal.expect("paste the ssh command")
        terminal.answer("root@203.0.113.9")
        terminal.expect("Name for it")
        terminal.press(key)
        assert terminal.end() == 130, terminal.said
    assert files(desk.project) == ["requirements.txt"]


def test_ctrl_c_at_one_more_machine_says_that_nothing_was_written(desk: Desk) -> None:
    with desk.sit("init") as terminal:
        terminal.expect("paste the ssh command")
        terminal.answer("root@203.0.113.9")
        terminal.expect("Name for it")
        terminal.answer("")
        terminal.expect("One more machine")
        terminal.press(b"\x03")
        assert terminal.end() == 130, terminal.said
    assert "nothing was written" in terminal.said
    assert files(desk.project) == []


def test_a_file_that_appeared_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("mine")
    with pytest.raises(UsageError, match="there already"):
        written.create(path, "other")
    assert path.read_text() == "mine"
    assert files(tmp_path) == ["hosts.yaml"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        written.create(tmp_path / "absent" / "hosts.yaml", "text")
