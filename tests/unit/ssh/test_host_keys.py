from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.errors import HostKeyError, UsageError
from provision.ssh.host_keys import (
    FIRST_CONTACT,
    KEY_TYPES,
    AskAgainError,
    Decision,
    HostKeyPolicy,
    Verdict,
    Verifier,
    decide,
    preferred_key_types,
)
from provision.ssh.known_hosts import HostKey, KnownKey, KnownKeys
from provision.ssh.trust import Identity, Pin, TrustStore
from tests.unit.ssh.keys import made_up

if TYPE_CHECKING:
    from pathlib import Path

KEY = made_up("ssh-ed25519", "right")
NEW = made_up("ssh-ed25519", "new")
RSA = made_up("ssh-rsa", "rsa")
ECDSA = made_up("ecdsa-sha2-nistp256", "ecdsa")
BOX = Identity.of("gpu-box", "203.0.113.10")


def pin_of(key: HostKey, *, bare: bool = False) -> Pin:
    return Pin(
        BOX.name,
        BOX.endpoint,
        key.fingerprint,
        None if bare else key.type,
        None if bare else key.blob,
        "2026-01-01T00:00:00Z",
        "first contact",
    )


def known(*keys: HostKey, revoked: tuple[HostKey, ...] = (), strict: bool = False) -> KnownKeys:
    return KnownKeys(
        tuple(KnownKey(key, "known_hosts:1") for key in keys),
        tuple(KnownKey(key, "known_hosts:9") for key in revoked),
        strict,
    )


def judge(
    offered: HostKey,
    pin: str | None = None,
    pins: tuple[Pin, ...] = (),
    files: KnownKeys | None = None,
    policy: HostKeyPolicy = "accept-new",
) -> Decision:
    return decide(offered, identity=BOX, pin=pin, pins=pins, known=files or KnownKeys(), policy=policy)


@pytest.mark.parametrize(
    ("situation", "verdict"),
    [
        ({}, Verdict.RECORD),
        ({"policy": "strict"}, Verdict.REFUSE),
        ({"files": known(strict=True)}, Verdict.REFUSE),
        ({"files": known(KEY)}, Verdict.ACCEPT),
        ({"files": known(KEY), "policy": "strict"}, Verdict.ACCEPT),
        ({"files": known(NEW)}, Verdict.REFUSE),
        ({"files": known(NEW, KEY)}, Verdict.ACCEPT),
        ({"files": known(RSA)}, Verdict.REFUSE),
        ({"files": known(KEY, revoked=(KEY,))}, Verdict.REFUSE),
        ({"files": known(revoked=(NEW,))}, Verdict.RECORD),
        ({"pins": (pin_of(KEY),)}, Verdict.ACCEPT),
        ({"pins": (pin_of(KEY),), "policy": "strict"}, Verdict.ACCEPT),
        ({"pins": (pin_of(KEY),), "files": known(NEW)}, Verdict.ACCEPT),
        ({"pins": (pin_of(KEY),), "files": known(revoked=(KEY,))}, Verdict.REFUSE),
        ({"pins": (pin_of(NEW),)}, Verdict.REFUSE),
        ({"pins": (pin_of(NEW),), "files": known(KEY)}, Verdict.REFUSE),
        ({"pins": (pin_of(RSA),)}, Verdict.REFUSE),
        ({"pins": (pin_of(NEW), pin_of(KEY))}, Verdict.ACCEPT),
        ({"pins": (pin_of(KEY, bare=True),)}, Verdict.RECORD),
        ({"pin": KEY.fingerprint}, Verdict.RECORD),
        ({"pin": KEY.fingerprint, "pins": (pin_of(KEY),)}, Verdict.ACCEPT),
        ({"pin": KEY.fingerprint, "pins": (pin_of(NEW),), "files": known(RSA)}, Verdict.RECORD),
        ({"pin": KEY.fingerprint, "policy": "strict"}, Verdict.RECORD),
        ({"pin": NEW.fingerprint, "pins": (pin_of(KEY),), "files": known(KEY)}, Verdict.REFUSE),
        ({"pin": KEY.fingerprint, "files": known(revoked=(KEY,))}, Verdict.REFUSE),
    ],
)
def test_the_verdict_on_a_key_follows_from_what_is_known(situation: dict[str, object], verdict: Verdict) -> None:
    assert judge(KEY, **situation).verdict is verdict  # type: ignore[arg-type]


@pytest.mark.parametrize("situation", [{"pins": (pin_of(NEW),)}, {"files": known(NEW)}])
def test_a_changed_key_shows_both_fingerprints_and_the_exact_command(situation: dict[str, object]) -> None:
    decision = judge(KEY, **situation)  # type: ignore[arg-type]
    assert NEW.fingerprint in decision.message
    assert KEY.fingerprint in decision.message
    assert f"provision trust gpu-box --fingerprint {KEY.fingerprint}" in str(decision.hint)


def test_a_key_that_the_inventory_does_not_pin_shows_both_fingerprints_and_the_line_to_write() -> None:
    decision = judge(KEY, pin=NEW.fingerprint)
    assert NEW.fingerprint in decision.message
    assert KEY.fingerprint in decision.message
    assert f"host_key: {KEY.fingerprint}" in str(decision.hint)


def test_an_unknown_key_refused_shows_the_exact_command() -> None:
    decision = judge(KEY, policy="strict")
    assert f"provision trust gpu-box --fingerprint {KEY.fingerprint}" in str(decision.hint)


def test_the_types_that_we_know_are_asked_for_first() -> None:
    assert preferred_key_types((), KnownKeys()) == KEY_TYPES
    assert preferred_key_types((), known(RSA))[:2] == ("rsa-sha2-512", "rsa-sha2-256")
    assert preferred_key_types((pin_of(ECDSA),), known(RSA))[0] == "ecdsa-sha2-nistp256"
    assert sorted(preferred_key_types((pin_of(RSA),), KnownKeys())) == sorted(KEY_TYPES)


def verifier(tmp_path: Path, **options: object) -> Verifier:
    arguments: dict[str, object] = {"known": KnownKeys(), **options}
    return Verifier(BOX, store=TrustStore(tmp_path / "known_hosts.json"), **arguments)  # type: ignore[arg-type]


def test_a_first_contact_is_recorded_openly_and_then_enforced(tmp_path: Path) -> None:
    decision = verifier(tmp_path).judge(KEY)
    assert KEY.fingerprint in decision.notes[0]
    assert verifier(tmp_path, policy="strict").judge(KEY).verdict is Verdict.ACCEPT
    before = (tmp_path / "known_hosts.json").read_bytes()
    with pytest.raises(HostKeyError, match="has changed") as caught:
        verifier(tmp_path).judge(NEW)
    assert caught.value.exit_code == 3
    assert (tmp_path / "known_hosts.json").read_bytes() == before


def test_a_new_address_is_pinned_anew_and_that_is_said(tmp_path: Path) -> None:
    verifier(tmp_path).judge(KEY)
    moved = Verifier(
        Identity.of("gpu-box", "203.0.113.77"), store=TrustStore(tmp_path / "known_hosts.json"), known=KnownKeys()
    )
    assert any("203.0.113.10:22" in note and "anew" in note for note in moved.judge(NEW).notes)


def test_the_slower_of_two_first_contacts_is_held_to_the_key_of_the_faster(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "known_hosts.json")

    class Late(TrustStore):
        def pins(self, identity: Identity) -> tuple[Pin, ...]:
            del identity
            return ()  # as read before the other process recorded its key

    store.record(BOX, KEY)
    late = Verifier(BOX, store=Late(store.path), known=KnownKeys())
    with pytest.raises(HostKeyError, match="has changed"):
        late.judge(NEW)


def test_trust_makes_a_changed_key_acceptable(tmp_path: Path) -> None:
    verifier(tmp_path).judge(KEY)
    TrustStore(tmp_path / "known_hosts.json").trust(BOX, NEW.fingerprint)
    assert verifier(tmp_path).judge(NEW).verdict is Verdict.RECORD
    with pytest.raises(HostKeyError):
        verifier(tmp_path).judge(KEY)


def test_a_bare_fingerprint_is_looked_for_among_the_other_types_of_the_server(tmp_path: Path) -> None:
    one = verifier(tmp_path, pin=RSA.fingerprint)
    with pytest.raises(AskAgainError):
        one.judge(KEY)
    assert one.key_types[0] == "ecdsa-sha2-nistp256"
    with pytest.raises(AskAgainError):
        one.judge(ECDSA)
    assert one.key_types[0] == "rsa-sha2-512"
    assert one.judge(RSA).verdict is Verdict.RECORD
    # From now on the type is known.
    assert verifier(tmp_path, pin=RSA.fingerprint).key_types[0] == "rsa-sha2-512"


def test_a_server_that_has_no_other_key_is_refused_for_good(tmp_path: Path) -> None:
    one = verifier(tmp_path, pin=RSA.fingerprint)
    with pytest.raises(AskAgainError):
        one.judge(KEY)
    with pytest.raises(HostKeyError) as caught:
        one.judge(KEY)
    assert type(caught.value) is HostKeyError


def test_no_more_than_three_keys_of_a_server_are_looked_at(tmp_path: Path) -> None:
    one = verifier(tmp_path, pin=NEW.fingerprint)
    for key in (KEY, ECDSA):
        with pytest.raises(AskAgainError):
            one.judge(key)
    with pytest.raises(HostKeyError) as caught:
        one.judge(RSA)
    assert type(caught.value) is HostKeyError
    assert all(key.fingerprint in caught.value.message for key in (KEY, ECDSA, RSA))


def test_a_full_pin_never_asks_again(tmp_path: Path) -> None:
    verifier(tmp_path).judge(KEY)
    with pytest.raises(HostKeyError) as caught:
        verifier(tmp_path).judge(RSA)
    assert type(caught.value) is HostKeyError


def test_a_damaged_store_refuses_every_host(tmp_path: Path) -> None:
    (tmp_path / "known_hosts.json").write_text("{")
    (tmp_path / "known_hosts.json").chmod(0o600)
    with pytest.raises(HostKeyError, match="is damaged"):
        verifier(tmp_path).judge(KEY)


def test_a_first_contact_that_cannot_be_recorded_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = TrustStore(tmp_path / "file" / "store")
    with pytest.raises(HostKeyError, match="cannot be"):
        Verifier(BOX, store=store, known=KnownKeys()).judge(KEY)


def test_a_pinned_host_can_be_reached_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> tuple[Pin, ...]:
        raise HostKeyError("the store cannot be written")

    monkeypatch.setattr(TrustStore, "record", refuse)
    decision = verifier(tmp_path, pin=KEY.fingerprint).judge(KEY)
    assert decision.notes == ("the store cannot be written",)


def test_a_pin_that_is_no_fingerprint_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        verifier(tmp_path, pin="abc")


def test_notes_about_known_hosts_reach_the_user(tmp_path: Path) -> None:
    files = replace(known(KEY), notes=("known_hosts:3: ignored",))
    assert verifier(tmp_path, known=files).judge(KEY).notes == ("known_hosts:3: ignored",)


def test_a_key_that_the_cloud_shows_is_taken_at_first_sight_even_where_unknown_ones_are_refused(tmp_path: Path) -> None:
    asked: list[str] = []

    def vouch() -> frozenset[str]:
        asked.append("asked")
        return frozenset({KEY.fingerprint, RSA.fingerprint})

    decision = verifier(tmp_path, policy="strict", vouch=vouch).judge(KEY)
    assert decision.notes[-1].endswith("is the one that its cloud shows; recorded")
    assert verifier(tmp_path, policy="strict", vouch=vouch).judge(KEY).verdict is Verdict.ACCEPT
    assert asked == ["asked"], "once it is recorded nobody is asked"


def test_a_key_that_the_cloud_does_not_show_is_refused_with_both(tmp_path: Path) -> None:
    def vouch() -> frozenset[str]:
        return frozenset({NEW.fingerprint})

    # Another type of key may be the one that is shown: the server is asked for that first.
    with pytest.raises(AskAgainError):
        verifier(tmp_path, vouch=vouch).judge(KEY)
    one = verifier(tmp_path, vouch=vouch)
    for key in (ECDSA, RSA):
        with pytest.raises(AskAgainError):
            one.judge(key)
    with pytest.raises(HostKeyError) as caught:
        one.judge(KEY)
    assert NEW.fingerprint in caught.value.message
    assert KEY.fingerprint in caught.value.message
    assert not (tmp_path / "known_hosts.json").exists()


def test_where_the_cloud_shows_nothing_it_is_a_first_contact_as_any_other(tmp_path: Path) -> None:
    assert verifier(tmp_path, vouch=frozenset).judge(KEY).message == FIRST_CONTACT


def test_what_the_user_knows_stands_above_what_the_cloud_shows(tmp_path: Path) -> None:
    def vouch() -> frozenset[str]:
        raise AssertionError("nobody is to be asked")

    verifier(tmp_path, pin=KEY.fingerprint, vouch=vouch).judge(KEY)
    verifier(tmp_path / "other", known=known(KEY), vouch=vouch).judge(KEY)
