"""Whether a host is the machine that it should be: what a user sees, against real servers."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import paramiko
import pytest

from provision.ssh.host_keys import Verifier
from tests.ssh.reach import inventory, link, pinned, ran, store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.unit.cli.typed import Desk

pytestmark = pytest.mark.lab


def logins(host: LabHost) -> int:
    return host.sshd_log().count("Accepted publickey")


def test_a_changed_key_is_refused_with_both_fingerprints_and_nothing_is_executed(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    first = desk.type("exec", "box", "--", "true")
    assert first.code == 0, first
    assert f"new host key ed25519 {host.host_key_fingerprint}" in first.err
    was, before = host.host_key_fingerprint, store(desk).read_bytes()
    host.change_host_key()
    answer = desk.type("exec", "box", "--", "touch ~/ran")
    assert answer.code == 3, answer
    assert was in answer.err
    assert host.host_key_fingerprint in answer.err
    assert f"provision trust box --fingerprint {host.host_key_fingerprint}" in answer.err
    assert store(desk).read_bytes() == before
    assert host.run("ls ~/ran", user="ubuntu").returncode != 0
    assert logins(host) == 1


def test_the_line_that_a_refusal_shows_makes_the_host_trusted_again(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    assert desk.type("exec", "box", "--", "true").code == 0
    host.change_host_key()
    refusal = desk.type("exec", "box", "--", "true").err
    line = refusal[refusal.index("provision trust") :].splitlines()[0]
    answer = desk.type(*line.split()[1:])
    assert answer.code == 0, answer
    assert "before: SHA256:" in answer.out
    assert desk.type("exec", "box", "--", "true").code == 0
    assert pinned(desk) == {"box": host.host_key_fingerprint}


def test_without_our_policy_a_changed_key_would_be_accepted(host: LabHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: fabric's own policy, put back, lets the changed key in."""
    with link(host) as made:
        assert ran(made, "echo one").stdout == b"one\n"
    host.change_host_key()

    def accept_all(self: Verifier, client: paramiko.SSHClient) -> None:
        del self
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())

    monkeypatch.setattr(Verifier, "install", accept_all)
    with link(host) as made:
        assert ran(made, "echo two").stdout == b"two\n"


def test_strict_refuses_a_host_that_nothing_is_known_about(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    answer = desk.type("exec", "box", "--host-keys", "strict", "--", "touch ~/ran")
    assert answer.code == 3, answer
    assert "unknown host key" in answer.err
    assert f"provision trust box --fingerprint {host.host_key_fingerprint}" in answer.err
    assert not store(desk).exists()
    assert logins(host) == 0
    assert desk.type("trust", "box", "--fingerprint", host.host_key_fingerprint).code == 0
    assert desk.type("exec", "box", "--host-keys", "strict", "--", "true").code == 0


def test_a_pin_in_the_inventory_beats_the_record_and_known_hosts(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    assert desk.type("exec", "box", "--", "true").code == 0
    (desk.home / ".ssh/known_hosts").write_text(host.known_hosts_lines)
    host.change_host_key()
    inventory(desk, host, settings={"box": {"host_key": host.host_key_fingerprint}})
    answer = desk.type("exec", "box", "--host-keys", "strict", "--", "true")
    assert answer.code == 0, answer
    assert "replaces the recorded" in answer.err
    host.change_host_key()
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 3, answer
    assert f"host_key: {host.host_key_fingerprint}" in answer.err


def test_a_pin_of_another_type_than_the_servers_first_is_found(lab: Lab, desk: Desk) -> None:
    host = lab.host("box", host_key_types=("ed25519", "ecdsa", "rsa"))
    for kind in ("rsa", "ecdsa"):
        inventory(desk, host, settings={"box": {"host_key": host.fingerprint(kind)}})
        answer = desk.type("exec", "box", "--", "true")
        assert answer.code == 0, answer


def test_a_server_with_a_second_key_is_still_known_by_its_old_one(lab: Lab, desk: Desk) -> None:
    host = lab.host("box", host_key_types=("ed25519", "rsa"))
    old = next(line for line in host.known_hosts_lines.splitlines() if "ssh-rsa" in line)
    (desk.home / ".ssh/known_hosts").write_text(old + "\n")
    inventory(desk, host)
    answer = desk.type("exec", "box", "--host-keys", "strict", "--", "true")
    assert answer.code == 0, answer


@pytest.mark.parametrize("changed", ["outer", "middle", "inner"])
def test_every_host_of_a_chain_is_held_to_its_key(lab: Lab, desk: Desk, changed: str) -> None:
    outer = lab.host("outer")
    middle = lab.host("middle", jump=outer)
    inner = lab.host("inner", jump=middle)
    hosts = {"outer": outer, "middle": middle, "inner": inner}
    inventory(desk, *hosts.values())
    first = desk.type("exec", "inner", "--", "hostname")
    assert (first.code, first.out) == (0, "inner\n"), first
    assert pinned(desk) == {name: one.host_key_fingerprint for name, one in hosts.items()}
    was = hosts[changed].host_key_fingerprint
    hosts[changed].change_host_key()
    answer = desk.type("exec", "inner", "--", "touch ~/ran")
    assert answer.code == 3, answer
    assert was in answer.err
    assert f"provision trust {changed} --fingerprint {hosts[changed].host_key_fingerprint}" in answer.err
    assert pinned(desk)[changed] == was
    assert inner.run("ls ~/ran", user="ubuntu").returncode != 0


def test_an_edited_address_is_pinned_anew_and_that_is_said(lab: Lab, desk: Desk) -> None:
    one, two = lab.fleet(["one", "two"])
    inventory(desk, one)
    assert desk.type("exec", "one", "--", "true").code == 0
    inventory(desk, one, settings={"one": {"address": two.address}})
    answer = desk.type("exec", "one", "--", "true")
    assert answer.code == 0, answer
    assert f"{two.host_key_fingerprint} of {two.address}:22 recorded" in answer.err
    assert f"{one.address}:22" in answer.err


def test_an_instance_keeps_its_pin_at_another_address_and_another_one_there_is_refused(lab: Lab, desk: Desk) -> None:
    one, two = lab.fleet(["one", "two"])
    provider = {"provider": {"cloud": "aliyun", "instance": "i-bp1"}}
    inventory(desk, one, settings={"one": provider})
    assert desk.type("exec", "one", "--", "true").code == 0
    inventory(desk, one, settings={"one": {"address": two.address, **provider}})
    answer = desk.type("exec", "one", "--", "true")
    assert answer.code == 3, answer
    assert one.host_key_fingerprint in answer.err


def test_for_an_instance_known_hosts_counts_by_its_revocations_alone(lab: Lab, desk: Desk) -> None:
    one, two = lab.fleet(["one", "two"])
    # The address was another machine's yesterday.
    stale = f"{one.address} {two.known_hosts_lines.split(' ', 1)[1]}"
    known = desk.home / ".ssh/known_hosts"
    known.write_text(stale)
    inventory(desk, one, settings={"one": {"provider": {"cloud": "aws", "instance": "i-0a"}}})
    answer = desk.type("exec", "one", "--", "true")
    assert answer.code == 0, answer
    known.write_text(stale + f"@revoked * {one.known_hosts_lines.split(' ', 1)[1]}")
    answer = desk.type("exec", "one", "--", "true")
    assert answer.code == 3, answer
    assert "revoked" in answer.err
    assert f"{known}:2" in answer.err


def test_the_users_known_hosts_counts_hashed_entries_too_and_a_bad_line_disables_no_other(
    host: LabHost, desk: Desk
) -> None:
    known = desk.home / ".ssh/known_hosts"
    good = host.known_hosts_lines
    known.write_text(good)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    hashed = known.read_text()
    assert host.address not in hashed
    known.write_bytes(b"@nonsense a b c\n\xff\xfe broken\n@cert-authority *.example ssh-rsa AAAA\n\n" + hashed.encode())
    content, folder = known.read_bytes(), sorted(known.parent.iterdir())
    inventory(desk, host)
    assert desk.type("exec", "box", "--host-keys", "strict", "--", "true").code == 0
    host.change_host_key()
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 3, answer
    assert "known_hosts" in answer.err
    assert known.read_bytes() == content
    assert sorted(known.parent.iterdir()) == folder


def test_a_large_known_hosts_still_holds_its_pins(host: LabHost, desk: Desk) -> None:
    known = desk.home / ".ssh/known_hosts"
    key = host.known_hosts_lines.split(" ", 1)[1]
    filler = "".join(f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255} {key}" for n in range(50_000))
    known.write_text(filler + host.known_hosts_lines)
    host.change_host_key()
    inventory(desk, host)
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 3, answer
    assert f"{known}:50001" in answer.err


def test_forty_first_contacts_at_once_keep_every_pin(lab: Lab, own_home: Path) -> None:
    hosts = lab.fleet([f"h{number}" for number in range(8)])

    def contact(number: int) -> None:
        with link(hosts[number % 8]) as made:
            assert ran(made, "true").code == 0

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(contact, range(16)))
    text = (own_home / ".local/state/provision/known_hosts.json").read_text()
    assert all(text.count(one.host_key_fingerprint) == 1 for one in hosts)
