from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.errors import HostKeyError, UsageError
from provision.ssh.trust import Identity, TrustStore, default_path, fingerprint_of
from tests.unit.ssh.keys import made_up

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = made_up("ssh-ed25519", "a")
OTHER = made_up("ssh-ed25519", "b")
BOX = Identity.of("gpu-box", "203.0.113.10")


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "state" / "provision" / "known_hosts.json")


def test_a_first_contact_is_kept(store: TrustStore) -> None:
    assert store.pins(BOX) == ()
    assert [pin.blob for pin in store.record(BOX, KEY)] == [KEY.blob]
    (pin,) = TrustStore(store.path).pins(BOX)
    assert pin.matches(KEY)
    assert not pin.matches(OTHER)
    assert pin.why == "first contact"


def test_a_second_key_is_never_put_beside_the_first(store: TrustStore) -> None:
    store.record(BOX, KEY)
    assert [pin.blob for pin in store.record(BOX, OTHER)] == [KEY.blob]
    assert [pin.blob for pin in store.pins(BOX)] == [KEY.blob]


def test_another_address_or_instance_is_another_machine(store: TrustStore) -> None:
    store.record(BOX, KEY)
    moved = Identity.of("gpu-box", "203.0.113.11")
    assert store.pins(moved) == ()
    assert [pin.endpoint for pin in store.elsewhere(moved)] == ["203.0.113.10:22"]
    assert store.pins(Identity.of("gpu-box", "203.0.113.10", 2222)) == ()
    assert store.pins(Identity.of("gpu-box", "203.0.113.10", instance="i-1")) == ()


def test_an_instance_keeps_its_pin_when_its_address_changes(store: TrustStore) -> None:
    store.record(Identity.of("gpu-box", "203.0.113.10", instance="i-1"), KEY)
    assert store.pins(Identity.of("gpu-box", "198.51.100.7", instance="i-1"))


def test_trust_replaces_every_pin_of_that_machine_alone(store: TrustStore) -> None:
    other = Identity.of("cpu-box", "203.0.113.10")
    store.record(BOX, KEY)
    store.record(other, KEY)
    assert [pin.blob for pin in store.trust(BOX, OTHER.fingerprint + "=")] == [KEY.blob]
    (pin,) = store.pins(BOX)
    assert pin.matches(OTHER)
    assert pin.type is None
    assert [pin.blob for pin in store.pins(other)] == [KEY.blob]


def test_a_trusted_fingerprint_is_completed_by_the_key_itself(store: TrustStore) -> None:
    store.trust(BOX, KEY.fingerprint)
    store.record(BOX, KEY)
    (pin,) = store.pins(BOX)
    assert (pin.type, pin.blob, pin.why) == (KEY.type, KEY.blob, "trusted by hand")


def test_a_key_pinned_in_the_inventory_replaces_the_recorded_one(store: TrustStore) -> None:
    store.record(BOX, KEY)
    store.record(BOX, OTHER, pinned=True)
    assert [pin.blob for pin in store.pins(BOX)] == [OTHER.blob]


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o777])
def test_the_store_is_private_whatever_the_umask(store: TrustStore, mask: int) -> None:
    store.path.parent.parent.mkdir()
    before = os.umask(mask)
    try:
        store.record(BOX, KEY)
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert store.pins(BOX)


def test_a_folder_open_to_others_is_closed(store: TrustStore) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.parent.chmod(0o777)
    store.record(BOX, KEY)
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_a_store_that_others_can_write_proves_nothing(store: TrustStore) -> None:
    store.record(BOX, KEY)
    store.path.chmod(0o666)
    with pytest.raises(HostKeyError, match="other users") as caught:
        store.pins(BOX)
    assert "chmod 600" in str(caught.value.hint)


PIN = {"name": "a", "endpoint": "b", "fingerprint": "c", "type": None, "blob": None, "added": "d", "why": "e"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": "1", "pins": []}',
        '{"format": 1}',
        '{"format": 1, "pins": [{}]}',
        '{"format": 1, "pins": [3]}',
        json.dumps({"format": 1, "pins": [{**PIN, "name": 3}]}),
        json.dumps({"format": 1, "pins": [{**PIN, "blob": 3}]}),
        "[" * 100_000,
        "\x00" * 300,
    ],
)
def test_a_damaged_store_is_an_error_and_stays_as_it_is(store: TrustStore, text: str) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.write_text(text)
    store.path.chmod(0o600)
    attempts: list[Callable[[], object]] = [
        lambda: store.pins(BOX),
        lambda: store.record(BOX, KEY),
        lambda: store.trust(BOX, KEY.fingerprint),
    ]
    for attempt in attempts:
        with pytest.raises(HostKeyError, match="is damaged") as caught:
            attempt()
        assert "mv " in str(caught.value.hint)
    assert store.path.read_text() == text


def test_a_store_of_a_newer_format_is_refused(store: TrustStore) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.write_text('{"format": 2, "pins": []}')
    store.path.chmod(0o600)
    with pytest.raises(HostKeyError, match="newer provision"):
        store.pins(BOX)


def test_a_store_that_is_no_file_is_an_error(store: TrustStore) -> None:
    store.path.mkdir(parents=True)
    with pytest.raises(HostKeyError):
        store.pins(BOX)


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostKeyError, match="cannot be"):
        TrustStore(tmp_path / "file" / "known_hosts.json").record(BOX, KEY)


def test_a_link_to_the_store_survives(store: TrustStore, tmp_path: Path) -> None:
    store.record(BOX, KEY)
    link = tmp_path / "link.json"
    link.symlink_to(store.path)
    TrustStore(link).record(Identity("b", "c"), KEY)
    assert link.is_symlink()
    assert len(json.loads(store.path.read_text())["pins"]) == 2


def meet(path: Path, number: int, gate: str) -> None:
    while not Path(gate).exists():
        pass
    TrustStore(path).record(Identity.of(f"host-{number}", "203.0.113.10"), made_up("ssh-ed25519", str(number)))


def test_forty_first_contacts_at_once_keep_forty_pins(store: TrustStore, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate = tmp_path / "gate"
    with context.Pool(8) as pool:
        results = [pool.apply_async(meet, (store.path, number, str(gate))) for number in range(40)]
        gate.touch()
        for result in results:
            result.get(60)
    for number in range(40):
        (pin,) = store.pins(Identity.of(f"host-{number}", "203.0.113.10"))
        assert pin.matches(made_up("ssh-ed25519", str(number)))
    assert sorted(one.name for one in store.path.parent.iterdir()) == ["known_hosts.json", "known_hosts.json.lock"]


def test_a_lock_that_is_never_given_back_ends_in_an_error(store: TrustStore, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    store.record(BOX, KEY)
    monkeypatch.setattr("provision.ssh.trust._LOCK_SECONDS", 0.05)
    with Path(f"{store.path}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(HostKeyError, match=r"\.lock was held"):
            store.record(Identity("b", "c"), KEY)


@pytest.mark.parametrize(
    "text", ["MD5:aa:bb", "SHA256:", "SHA256:short", "", "SHA256:" + "*" * 43, KEY.fingerprint[7:]]
)
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a host key fingerprint"):
        fingerprint_of(text)


def test_fingerprints_are_taken_with_and_without_padding() -> None:
    assert fingerprint_of(KEY.fingerprint + "=") == KEY.fingerprint
    assert fingerprint_of(f" {KEY.fingerprint}\n") == KEY.fingerprint


def test_the_store_lies_below_the_xdg_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert default_path() == Path("/somewhere/provision/known_hosts.json")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert default_path() == Path.home() / ".local/state/provision/known_hosts.json"


def test_store_files_and_aliases_cost_no_import_of_paramiko() -> None:
    code = (
        "import sys, provision.ssh.trust, provision.ssh.known_hosts, provision.ssh.alias, provision.ssh.host_keys, "
        "provision.ssh.algorithms; sys.exit('paramiko' in sys.modules or 'cryptography' in sys.modules)"
    )
    source = Path(__file__).parents[3] / "src"
    assert subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": str(source)}).returncode == 0
