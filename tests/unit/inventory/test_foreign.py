"""Hosts of other tools: Ansible's two kinds, SkyPilot's pools, Ray's clusters, dstack's fleets; and written back.

The texts have the shapes of each tool's own documentation (see provision.inventory.foreign), with addresses of ours.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from provision.errors import BadFileError, ProvisionError, UsageError
from provision.inventory.foreign.ansible import expanded, from_ini, from_yaml
from provision.inventory.foreign.found import plain_name
from provision.inventory.foreign.reading import LARGEST, read
from provision.inventory.foreign.writing import ansible, ssh_config
from provision.inventory.schema import HostEntry
from provision.model.host import Host

if TYPE_CHECKING:
    from pathlib import Path

    from provision.inventory.foreign.found import Found

INI = """\
# The web comes first.
bastion ansible_host=203.0.113.1 ansible_user=ops

[gpu]
gpu[01:03].example.com  ansible_port=2222   # three of them
odd ansible_host=203.0.113.9 ansible_ssh_private_key_file=~/.ssh/odd ansible_become_pass="not ours"

[gpu:vars]
ansible_user=ubuntu
ansible_ssh_common_args='-o ProxyJump=ops@203.0.113.1 -o StrictHostKeyChecking=no'
batch_size=32

[cpu]
203.0.113.20

[train:children]
gpu
cpu
"""
YAML = """\
all:
  vars: {ansible_user: dev}
  hosts:
    alone.example.com:
  children:
    gpu:
      vars: {ansible_port: 2200}
      hosts:
        a: {ansible_host: 203.0.113.2, ansible_user: root}
        "b[1:2]": {}
    train:
      children:
        gpu:
      vars:
        ansible_port: 22
        ansible_ssh_pass: !vault |
          $ANSIBLE_VAULT;1.1;AES256
          6162
"""
SKYPILOT = """\
my-cluster:
  user: root
  identity_file: ~/.ssh/id_rsa
  password:
  hosts:
    - ip: 203.0.113.4
      user: alice
      password: alice-password
    - 203.0.113.5
my-box:
  hosts:
    - name_in_ssh_config
"""
RAY = """\
cluster_name: default
provider: {type: local, head_ip: 203.0.113.7, worker_ips: [203.0.113.8, 203.0.113.9]}
auth: {ssh_user: ubuntu, ssh_private_key: ~/.ssh/ray.pem}
min_workers: 2
"""
DSTACK = """\
type: fleet
name: my-fleet
placement: cluster
ssh_config:
  user: ubuntu
  identity_file: ~/.ssh/id_rsa
  hosts:
    - 203.0.113.11
    - hostname: 203.0.113.12
      port: 3022
      user: root
  proxy_jump: {hostname: 203.0.113.10, user: jump, identity_file: ~/.ssh/jump}
"""


def taken(text: str, kind: str | None = None) -> Found:
    found = read(text, "the-file", kind)
    assert found is not None
    return found


def test_an_ini_inventory_with_ranges_group_variables_and_children() -> None:
    found = taken(INI)
    jump = ("bastion",)
    assert found.hosts == {
        "bastion": HostEntry(address="203.0.113.1", user="ops"),
        **{
            f"gpu0{n}.example.com": HostEntry(address=f"gpu0{n}.example.com", port=2222, user="ubuntu", jump=jump)
            for n in (1, 2, 3)
        },
        "odd": HostEntry(address="203.0.113.9", user="ubuntu", identity_file="~/.ssh/odd", jump=jump),
        "203.0.113.20": HostEntry(address="203.0.113.20"),
    }
    gpus = ["gpu01.example.com", "gpu02.example.com", "gpu03.example.com", "odd"]
    assert found.groups == {"gpu": gpus, "train": [*gpus, "203.0.113.20"], "cpu": ["203.0.113.20"]}
    assert found.left_out == ["odd: ansible_become_pass is a secret: hosts.yaml holds none (PROVISION_SSH_PASSWORD)"]


def test_a_yaml_inventory_where_the_nearest_group_wins() -> None:
    found = taken(YAML)
    assert found.hosts == {
        "alone.example.com": HostEntry(address="alone.example.com", user="dev"),
        "a": HostEntry(address="203.0.113.2", user="root", port=2200),
        "b1": HostEntry(address="b1", user="dev", port=2200),
        "b2": HostEntry(address="b2", user="dev", port=2200),
    }
    assert found.groups == {"gpu": ["a", "b1", "b2"], "train": ["a", "b1", "b2"]}
    assert {one.partition(": ")[0] for one in found.left_out} == {"a", "b1", "b2"}
    assert "ANSIBLE_VAULT" not in " ".join(found.left_out)


def test_skypilots_pools() -> None:
    found = taken(SKYPILOT)
    assert found.hosts == {
        "203.0.113.4": HostEntry(address="203.0.113.4", user="alice", identity_file="~/.ssh/id_rsa"),
        "203.0.113.5": HostEntry(address="203.0.113.5", user="root", identity_file="~/.ssh/id_rsa"),
        "name_in_ssh_config": HostEntry(ssh="name_in_ssh_config"),
    }
    assert found.groups == {"my-cluster": ["203.0.113.4", "203.0.113.5"], "my-box": ["name_in_ssh_config"]}
    assert found.left_out == ["my-cluster: a password: hosts.yaml holds none (PROVISION_SSH_PASSWORD)"]
    assert "alice-password" not in repr(found)


def test_a_ray_cluster_of_machines_that_are_there() -> None:
    found = taken(RAY)
    assert list(found.hosts) == ["default-head", "default-1", "default-2"]
    assert found.hosts["default-1"] == HostEntry(address="203.0.113.8", user="ubuntu", identity_file="~/.ssh/ray.pem")
    assert found.groups == {"default": ["default-head", "default-1", "default-2"]}


def test_a_ray_cluster_in_a_cloud_says_that_it_has_no_hosts_yet() -> None:
    found = taken("cluster_name: x\nprovider: {type: aws, region: us-west-2}\n")
    assert not found.hosts
    assert found.left_out == ["provider aws: its machines are made when Ray starts them; see `sources`"]


def test_a_dstack_fleet_behind_a_jump_host() -> None:
    found = taken(DSTACK)
    assert found.hosts == {
        "my-fleet-jump": HostEntry(address="203.0.113.10", user="jump", identity_file="~/.ssh/jump"),
        "203.0.113.11": HostEntry(
            address="203.0.113.11", user="ubuntu", identity_file="~/.ssh/id_rsa", jump=("my-fleet-jump",)
        ),
        "203.0.113.12": HostEntry(
            address="203.0.113.12", port=3022, user="root", identity_file="~/.ssh/id_rsa", jump=("my-fleet-jump",)
        ),
    }
    assert found.groups == {"my-fleet": ["203.0.113.11", "203.0.113.12"]}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("www[01:03]", ["www01", "www02", "www03"]),
        ("www[1:7:3]", ["www1", "www4", "www7"]),
        ("db-[a:c]", ["db-a", "db-b", "db-c"]),
        ("r[1:2]n[1:2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("2001:db8::1", ["2001:db8::1"]),
        ("plain", ["plain"]),
    ],
)
def test_ranges_are_expanded(pattern: str, names: list[str]) -> None:
    assert expanded(pattern, "f") == names


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("gpu[1:9999999999]\n", "ansible", "stands for too many hosts"),
        ("a[1:100]b[1:100]c\n", "ansible", "stands for 10000 hosts"),
        ("gpu[1:a]\n", "ansible", "is no range"),
        ("[gpu\na\n", "ansible", "the-file:1: '[gpu' is no group"),
        ("a b\n", "ansible", "the-file:1: 'b' is no variable"),
        ("a 'b\n", "ansible", "the-file:1: No closing quotation"),
        ("a ansible_port=none\n", "ansible", "a: port: "),
        ("a ansible_host=-oProxyCommand=x\n", "ansible", "a: address: "),
        ("[a:children]\nb\n[b:children]\na\n[a]\nh\n", "ansible", "is a child of itself"),
        ("all: [1]\n", "ansible", "all: expected a mapping"),
        ("p: {hosts: 7}\n", "skypilot", "p.hosts: expected a list"),
        ("p: {hosts: [{ip: [1]}]}\n", "skypilot", "address: "),
        ("provider: [1]\n", "ray", "provider: expected a mapping"),
        ("type: fleet\nssh_config: {hosts: {a: 1}}\n", "dstack", "ssh_config.hosts: expected a list"),
        ("[" * 5000, "skypilot", "the-file is nested too deeply"),
        ("x" * (LARGEST + 1), None, "too large"),
        ("version: 3\n", None, "is no inventory that provision knows"),
        ("- a\n- b\n", "ray", "expected a mapping"),
    ],
)
def test_what_cannot_be_taken_is_one_clear_line(text: str, kind: str | None, says: str) -> None:
    with pytest.raises(ProvisionError) as caught:
        read(text, "the-file", kind)
    assert isinstance(caught.value, (BadFileError, UsageError))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_yaml_file_that_is_broken_is_not_taken_for_an_ini_file() -> None:
    with pytest.raises(BadFileError, match=r"hosts\.yml:2: this is no YAML"):
        read("all:\n  hosts: {a: [}\n", "hosts.yml")


def test_a_jump_host_that_is_no_host_of_the_file_becomes_one() -> None:
    found = from_ini("a ansible_ssh_common_args='-J ops@203.0.113.1:2222,second -o Compression=yes'\n", "f")
    assert found.hosts == {
        "jump-203.0.113.1": HostEntry(address="203.0.113.1", user="ops", port=2222),
        "a": HostEntry(address="a", jump=("jump-203.0.113.1", "second")),
    }


def test_a_template_is_not_taken_for_an_address() -> None:
    found = from_ini("a ansible_host='{{ lookup(x) }}'\n", "f")
    assert found.hosts == {"a": HostEntry(address="a")}
    assert found.left_out == ["a: its address is a template: {{ lookup(x) }}"]


def test_names_that_hosts_cannot_have_get_other_letters() -> None:
    assert plain_name("my host/1") == "my-host-1"
    assert plain_name("../../etc") == "etc"
    assert plain_name("\x1b[31m") == "31m"


HOSTS = [
    Host("a", "203.0.113.2", user="root", port=2200, identity_file="/home/dev/.ssh/id a", groups=("gpu", "all-night")),
    Host("b", "2001:db8::1", user="dev", jump=("a",), groups=("gpu",)),
    Host("c", "c.example.com", proxy_command="nc -x 'proxy one' %h %p"),
]


def test_what_is_written_for_ansible_is_read_back_as_the_same_hosts() -> None:
    found = from_yaml(yaml.safe_load(ansible(HOSTS)), "f")
    assert found.hosts == {
        "a": HostEntry(address="203.0.113.2", user="root", port=2200, identity_file="/home/dev/.ssh/id a"),
        "b": HostEntry(address="2001:db8::1", user="dev", jump=("a",)),
        "c": HostEntry(address="c.example.com", proxy_command="nc -x 'proxy one' %h %p"),
    }
    assert found.groups == {"gpu": ["a", "b"], "all-night": ["a"]}
    assert not found.left_out


def test_what_is_written_for_ssh_is_what_ssh_understands(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(ssh_config(HOSTS))

    def asked(name: str) -> dict[str, str]:
        told = subprocess.run(["ssh", "-G", "-F", str(config), name], capture_output=True, text=True, check=True)
        return dict(line.split(" ", 1) for line in told.stdout.splitlines() if " " in line)

    first = asked("a")
    assert (first["hostname"], first["user"], first["port"]) == ("203.0.113.2", "root", "2200")
    assert first["identityfile"] == "/home/dev/.ssh/id a"
    assert asked("b")["proxyjump"] == "a"
    assert asked("b")["hostname"] == "2001:db8::1"
    assert asked("c")["proxycommand"] == "nc -x 'proxy one' %h %p"


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{now}: &{now} [{', '.join([f'*{before}'] * 9)}]\n" for before, now in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (BOMB + "z: !vault [*i]\nall: {hosts: {h: {ansible_host: *i}}}\n", "ansible"),
        (BOMB + "p: {hosts: [{ip: *i, user: root}]}\n", "skypilot"),
        (BOMB + "type: fleet\nname: *i\nssh_config: {hosts: [{hostname: *i}]}\n", "dstack"),
    ],
)
def test_aliases_that_would_be_gigabytes_are_never_written_out(text: str, kind: str) -> None:
    with pytest.raises(ProvisionError) as caught:
        read(text, "f", kind)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["x: 2026-99-99\n", "p: {hosts: [{ip: 192.0.2.1, port: .inf}]}\n"])
def test_a_value_that_yaml_cannot_make_is_one_line(text: str) -> None:
    with pytest.raises(ProvisionError):
        read(text, "f.yml", "skypilot")


def test_a_fleet_s_odd_name_does_not_make_two_jump_hosts_of_one() -> None:
    found = taken(DSTACK.replace("name: my-fleet", "name: 'a,b c'"))
    assert found.hosts["203.0.113.11"].jump == ("a-b-c-jump",)
    assert "a-b-c-jump" in found.hosts


def test_a_percent_sign_in_a_key_s_path_is_that_sign_for_ssh(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(ssh_config([Host("a", "192.0.2.1", identity_file="/home/dev/100%h/id")]))
    told = subprocess.run(["ssh", "-G", "-F", str(config), "a"], capture_output=True, text=True, check=True)
    assert "identityfile /home/dev/100%%h/id" in told.stdout or "identityfile /home/dev/100%h/id" in told.stdout
