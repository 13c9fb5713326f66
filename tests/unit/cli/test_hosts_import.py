"""`provision hosts import` and `export`: other tools' hosts come into hosts.yaml, and ours go to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from provision.inventory import load_inventory
from tests.unit.cli.typed import decoded

if TYPE_CHECKING:
    from tests.unit.cli.typed import Desk

HOSTS = """\
version: 1
default: gpu-box   # mine

hosts:
  # rented by the hour
  gpu-box: {address: 203.0.113.10, user: root}

groups:
  night: ["gpu-*"]
"""
INI = """\
[train]
gpu-box ansible_host=203.0.113.99
new[1:2] ansible_user=ubuntu ansible_ssh_pass=secret-word
"""


def test_new_hosts_are_added_and_every_other_line_stays(desk: Desk) -> None:
    inventory = desk.project / "hosts.yaml"
    inventory.write_text(HOSTS)
    (desk.project / "inventory.ini").write_text(INI)
    first = desk.type("hosts", "import", "inventory.ini", "--dry-run")
    assert first.code == 0, first
    assert inventory.read_text() == HOSTS
    assert "hosts.yaml: 2 hosts would be added" in first.out
    answer = desk.type("hosts", "import", "inventory.ini")
    assert answer.code == 0, answer
    assert "hosts.yaml: 2 hosts added" in answer.out
    assert "  new1: ubuntu@new1" in answer.out
    assert "there already, left as they are: gpu-box" in answer.out
    assert "not taken over: new1: ansible_ssh_pass is a secret" in answer.out
    assert "secret-word" not in answer.out + inventory.read_text()
    found = load_inventory(inventory)
    assert list(found.hosts) == ["gpu-box", "new1", "new2"]
    assert set(found.groups) == {"night", "train"}
    assert [line for line in HOSTS.splitlines() if line not in inventory.read_text().splitlines()] == []
    again = desk.type("hosts", "import", "inventory.ini", "--json")
    assert decoded(again.out)["added"] == []
    assert decoded(again.out)["there_already"] == ["gpu-box", "new1", "new2"]


def test_a_group_may_hold_hosts_that_were_there(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text(HOSTS)
    (desk.project / "inventory.ini").write_text(INI)
    assert desk.type("hosts", "import", "inventory.ini").code == 0
    found = load_inventory(desk.project / "hosts.yaml")
    assert [one for one in found.hosts if "train" in found.resolve(one).groups] == ["gpu-box", "new1", "new2"]


def test_without_an_inventory_one_is_made(desk: Desk) -> None:
    (desk.project / "pools.yaml").write_text("pool: {user: root, hosts: [203.0.113.4, 203.0.113.5]}\n")
    answer = desk.type("hosts", "import", "pools.yaml")
    assert answer.code == 0, answer
    found = load_inventory(desk.project / "hosts.yaml")
    assert list(found.hosts) == ["203.0.113.4", "203.0.113.5"]
    assert set(found.groups) == {"pool"}


def test_an_ssh_config_gives_its_aliases(desk: Desk) -> None:
    (desk.home / ".ssh/config").write_text(
        "Host box other\n  HostName 203.0.113.3\n  User me\n\nHost *\n  Compression yes\n"
    )
    answer = desk.type("hosts", "import", "~/.ssh/config")
    assert answer.code == 0, answer
    document = yaml.safe_load((desk.project / "hosts.yaml").read_text())
    assert document["hosts"] == {"box": {"ssh": "box"}, "other": {"ssh": "other"}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file or directory"),
        ("", "is no inventory that provision knows"),
        ("\x00\x01\x02", "the-file: a NUL character, expected UTF-8 text"),
        ("cluster_name: x\nprovider: {type: aws}\n", "lists no hosts"),
    ],
)
def test_a_file_that_is_of_no_use_is_told_in_one_line(desk: Desk, text: str | None, says: str) -> None:
    if text is not None:
        (desk.project / "the-file").write_text(text)
    answer = desk.type("hosts", "import", "the-file")
    assert answer.code == 2, answer
    assert says in answer.err
    assert "Traceback" not in answer.err
    assert not (desk.project / "hosts.yaml").exists()


def test_what_is_exported_for_ansible_comes_back_as_it_was(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text(
        HOSTS.replace("\n\ngroups", "\n  b: {address: '2001:db8::1', port: 2222, jump: gpu-box}\n\ngroups")
    )
    answer = desk.type("hosts", "export", "--format", "ansible", "-o", "out.yaml")
    assert answer.code == 0, answer
    refused = desk.type("hosts", "export", "--format", "ansible", "-o", "out.yaml")
    assert refused.code == 2, refused
    assert "out.yaml is there already" in refused.err
    assert desk.type("hosts", "export", "--format", "ansible", "-o", "out.yaml", "--force").code == 0
    back = desk.type("hosts", "import", "out.yaml", "-i", "second.yaml")
    assert back.code == 0, back
    first, second = load_inventory(desk.project / "hosts.yaml"), load_inventory(desk.project / "second.yaml")
    for name in ("gpu-box", "b"):
        ours, theirs = first.resolve(name), second.resolve(name)
        assert (ours.address, ours.port, ours.jump) == (theirs.address, theirs.port, theirs.jump)


def test_an_export_for_ssh_names_only_the_hosts_asked_for(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text(HOSTS)
    answer = desk.type("hosts", "export", "gpu-box", "--format", "ssh_config")
    assert answer.code == 0, answer
    assert answer.out == "Host gpu-box\n    HostName 203.0.113.10\n    User root\n"
