from __future__ import annotations

import os
import random
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.ssh.known_hosts import HostKey, KnownHosts, KnownKeys, glob_matches
from tests.unit.ssh.keys import hashed, keygen, made_up, public

if TYPE_CHECKING:
    from pathlib import Path

KEY = made_up("ssh-ed25519", "a")
OTHER = made_up("ssh-ed25519", "b")
RSA = made_up("ssh-rsa", "c")


def look_up(tmp_path: Path, *lines: str | bytes, address: str = "gpu.example", port: int = 22) -> KnownKeys:
    path = tmp_path / "known_hosts"
    path.write_bytes(b"".join((one if isinstance(one, bytes) else one.encode()) + b"\n" for one in lines))
    return KnownHosts((path,)).lookup(address, port)


def line(hosts: str, key: HostKey = KEY) -> str:
    return f"{hosts} {key.type} {key.blob} comment"


@pytest.mark.parametrize(
    "hosts",
    [
        "gpu.example",
        "GPU.Example",
        "other.example,gpu.example",
        "gpu.example,203.0.113.10",
        "*.example",
        "gpu.exampl?",
        "*",
        hashed("gpu.example"),
        "  gpu.example",
    ],
)
def test_a_line_that_names_the_host_is_found(tmp_path: Path, hosts: str) -> None:
    known = look_up(tmp_path, line("unrelated.example", OTHER), line(hosts))
    assert [one.key for one in known.keys] == [KEY]
    assert known.keys[0].where.endswith("known_hosts:2")
    assert not known.notes
    assert not known.strict


@pytest.mark.parametrize(
    "hosts",
    [
        "gpu.example.org",
        "xgpu.example",
        "[gpu.example]:2222",
        hashed("[gpu.example]:2222"),
        "gpu?example?",
        "[g]pu.example",
    ],
)
def test_a_line_that_names_another_host_is_not_found(tmp_path: Path, hosts: str) -> None:
    assert look_up(tmp_path, line(hosts)) == KnownKeys()


@pytest.mark.parametrize("hosts", ["[gpu.example]:2222", hashed("[gpu.example]:2222"), "[*.example]:2222"])
def test_a_port_other_than_22_is_part_of_the_name(tmp_path: Path, hosts: str) -> None:
    known = look_up(tmp_path, line(hosts), line("gpu.example", OTHER), port=2222)
    assert [one.key for one in known.keys] == [KEY]


def test_double_spaces_tabs_comments_and_blank_lines_hide_nothing(tmp_path: Path) -> None:
    known = look_up(
        tmp_path,
        "# gpu.example ssh-ed25519 AAAA",
        "",
        f"gpu.example  {RSA.type}\t{RSA.blob}",
        f"gpu.example {KEY.type} {KEY.blob}\r",
    )
    assert [one.key for one in known.keys] == [RSA, KEY]
    assert not known.notes


def test_a_bad_line_is_said_and_never_disables_the_others(tmp_path: Path) -> None:
    known = look_up(
        tmp_path,
        "gpu.example",
        "gpu.example ssh-ed25519 not*base64",
        "gpu.example ssh-ed25519 AAAAB3Nz",
        f"gpu.example ssh-rsa {KEY.blob}",
        "@unknown gpu.example ssh-ed25519 AAAA",
        "|1|broken|broken= ssh-ed25519 AAAA",
        b"\xff\xfe\x00 \x00",
        line("gpu.example"),
    )
    assert [one.key for one in known.keys] == [KEY]
    text = "\n".join(known.notes)
    for number in (1, 2, 3, 4, 5, 6, 7):
        assert f"known_hosts:{number}:" in text
    assert not known.strict


def test_many_bad_lines_are_summed_up(tmp_path: Path) -> None:
    known = look_up(tmp_path, *["garbage"] * 100)
    assert len(known.notes) == 6
    assert "95 more" in known.notes[-1]


@pytest.mark.parametrize("hosts", ["gpu.example", "*", hashed("gpu.example"), "[gpu.example]:2222"])
def test_a_revoked_key_is_reported_on_every_port(tmp_path: Path, hosts: str) -> None:
    known = look_up(tmp_path, f"@revoked {line(hosts)}", line("[gpu.example]:2222"), port=2222)
    assert [one.key for one in known.revoked] == [KEY]


def test_a_revocation_that_cannot_be_read_makes_unknown_keys_unacceptable(tmp_path: Path) -> None:
    known = look_up(tmp_path, "@revoked gpu.example ssh-ed25519 AAAAB3Nz")
    assert known.strict
    assert known.notes


def test_a_certificate_authority_is_said_and_never_trusted(tmp_path: Path) -> None:
    known = look_up(tmp_path, f"@cert-authority {line('*.example')}")
    assert not known.keys
    assert known.strict
    assert "@cert-authority is not supported" in known.notes[0]


def test_a_certificate_authority_for_others_concerns_nobody_else(tmp_path: Path) -> None:
    assert look_up(tmp_path, f"@cert-authority {line('*.corp')}") == KnownKeys()


def test_a_negated_pattern_excludes_the_host_and_makes_unknown_keys_unacceptable(tmp_path: Path) -> None:
    known = look_up(tmp_path, line("*.example,!gpu.example"))
    assert not known.keys
    assert known.strict


def test_a_negation_of_another_host_excludes_nothing(tmp_path: Path) -> None:
    known = look_up(tmp_path, line("*.example,!cpu.example"))
    assert [one.key for one in known.keys] == [KEY]


def test_a_negation_alone_names_nobody(tmp_path: Path) -> None:
    assert not look_up(tmp_path, line("!cpu.example")).keys


def test_key_types_that_we_cannot_ask_for_are_said(tmp_path: Path) -> None:
    known = look_up(tmp_path, line("gpu.example", made_up("ssh-dss", "x")))
    assert not known.keys
    assert known.strict


def test_a_missing_file_says_nothing(tmp_path: Path) -> None:
    assert KnownHosts((tmp_path / "none", tmp_path / "none" / "deeper")).lookup("a") == KnownKeys()


def test_the_null_device_says_nothing() -> None:
    from pathlib import Path

    assert KnownHosts((Path(os.devnull),)).lookup("a") == KnownKeys()


def test_a_file_that_cannot_be_read_makes_unknown_keys_unacceptable(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "folder"):
        known = KnownHosts((tmp_path / name,)).lookup("a")
        assert known.strict
        assert name in known.notes[0]


def test_several_files_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(line("a") + "\n")
    (tmp_path / "two").write_text(line("a", OTHER))
    known = KnownHosts((tmp_path / "one", tmp_path / "two")).lookup("a")
    assert [one.key for one in known.keys] == [KEY, OTHER]


def test_looking_up_never_writes(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("garbage\n" + line("a"))
    before = path.stat()
    KnownHosts((path,)).lookup("a")
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)
    assert [one.name for one in tmp_path.iterdir()] == ["known_hosts"]


def test_a_host_with_an_instance_keeps_only_revocations(tmp_path: Path) -> None:
    known = look_up(tmp_path, line("gpu.example"), f"@revoked {line('gpu.example', OTHER)}").revoked_only()
    assert (known.keys, [one.key for one in known.revoked]) == ((), [OTHER])


def test_a_million_lines_are_searched_within_seconds(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    rest = f" ssh-ed25519 {OTHER.blob}\n"
    with path.open("w") as stream:
        for number in range(1_000_000):
            stream.write(f"host-{number}.example{rest}")
        stream.write(f"gpu.example ssh-ed25519 {KEY.blob}\n")
    hosts = KnownHosts((path,))
    start = time.process_time()
    known = hosts.lookup("gpu.example")
    assert [one.key for one in known.keys] == [KEY]
    assert known.keys[0].where.endswith(":1000001")
    assert time.process_time() - start < 8


def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    path = keygen(tmp_path / "key")
    shown = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True).stdout
    assert public(path).fingerprint in shown.split()


def test_our_answer_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    """ssh-keygen -F is the reference: same lines for random files of names, hashes, ports and patterns."""
    dice = random.Random(7)
    names = ["a.example", "b.example", "[a.example]:2222", "[b.example]:2222"]
    forms = [*names, *map(hashed, names), "*.example", "?.example", "b*,a.example", "*,!b.example", "[?.example]:2222"]
    path = tmp_path / "known_hosts"
    for _ in range(20):
        lines = [line(dice.choice(forms), made_up("ssh-ed25519", str(number))) for number in range(8)]
        path.write_text("\n".join(lines) + "\n")
        for name in names:
            address, port = ("ab"["b.ex" in name] + ".example", 2222 if name.startswith("[") else 22)
            command = ["ssh-keygen", "-F", name, "-f", str(path)]
            said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
            theirs = [one.split()[2] for one in said.splitlines() if not one.startswith("#")]
            ours = [one.key.blob for one in KnownHosts((path,)).lookup(address, port).keys]
            assert ours == theirs


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_patterns_mean_what_ssh_means(pattern: str, name: str) -> None:
    import re

    expected = re.fullmatch(pattern.replace("*", ".*").replace("?", "."), name) is not None
    assert glob_matches(pattern.encode(), name.encode()) == expected


def test_a_hostile_pattern_costs_no_time() -> None:
    start = time.process_time()
    assert not glob_matches(b"*a" * 2000 + b"b", b"a" * 253)
    assert time.process_time() - start < 2
