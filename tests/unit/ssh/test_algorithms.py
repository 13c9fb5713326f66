from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import paramiko
import pytest

from provision.ssh.algorithms import DISABLED, explain_negotiation, new_transport
from provision.ssh.host_keys import KEY_TYPES
from tests.unit.ssh.servers import Rules, server

if TYPE_CHECKING:
    from collections.abc import Iterator

BROKEN = ("cbc", "3des", "md5", "sha1", "-96")


@pytest.fixture
def transport() -> Iterator[paramiko.Transport]:
    ours, theirs = socket.socketpair()
    yield new_transport(ours)
    ours.close()
    theirs.close()


def test_no_broken_algorithm_is_offered(transport: paramiko.Transport) -> None:
    security = transport.get_security_options()
    offered = [*security.ciphers, *security.digests, *security.kex, *security.key_types]
    assert not [name for name in offered if any(word in name for word in BROKEN)]
    assert "ssh-rsa" not in security.key_types
    assert "ssh-dss" not in security.key_types


def test_the_disabled_table_trims_paramikos_own_offer() -> None:
    ours, theirs = socket.socketpair()
    plain = paramiko.Transport(ours, disabled_algorithms=DISABLED)
    assert not [name for name in (*plain.preferred_ciphers, *plain.preferred_macs) if any(x in name for x in BROKEN)]
    ours.close()
    theirs.close()


def test_the_best_come_first(transport: paramiko.Transport) -> None:
    security = transport.get_security_options()
    assert security.ciphers[0] == "aes128-gcm@openssh.com"
    assert security.digests[0] == "hmac-sha2-256-etm@openssh.com"
    assert "25519" in security.kex[0]


def test_host_key_types_are_asked_for_in_the_order_given() -> None:
    ours, theirs = socket.socketpair()
    order = tuple(reversed(KEY_TYPES))
    assert tuple(new_transport(ours, key_types=order).get_security_options().key_types) == order
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    ("table", "names", "word"),
    [
        ("_preferred_macs", ("hmac-sha1",), "message authentication"),
        ("_preferred_ciphers", ("aes128-cbc",), "cipher"),
        ("_preferred_kex", ("diffie-hellman-group14-sha256",), None),
    ],
)
def test_a_server_with_old_algorithms_alone_is_explained(
    monkeypatch: pytest.MonkeyPatch, table: str, names: tuple[str, ...], word: str | None
) -> None:
    with server(Rules(set(), set()), paramiko.ECDSAKey.generate()) as port:
        client = new_transport(socket.create_connection(("127.0.0.1", port)))
        security = client.get_security_options()
        chosen = (security.ciphers, security.digests, security.kex)
        with monkeypatch.context() as patch:
            patch.setattr(paramiko.Transport, table, names)
            # Ours are set on the instance; only the server reads the class.
            security.ciphers, security.digests, security.kex = chosen
            try:
                client.start_client(timeout=10)
            except paramiko.SSHException as error:
                explained = explain_negotiation(error)
                assert word is not None
                assert explained is not None
                assert word in explained[0]
                assert "OpenSSH 7.2" in explained[0]
            else:
                assert word is None
            finally:
                client.close()
                client.join(10)


@pytest.mark.parametrize("what", ["host key", "kex algorithm"])
def test_sha1_only_servers_are_named_as_such(what: str) -> None:
    explained = explain_negotiation(paramiko.SSHException(f"Incompatible ssh peer (no acceptable {what})"))
    assert explained is not None
    assert "only offers SHA-1" in explained[0]


def test_other_errors_are_not_explained() -> None:
    assert explain_negotiation(EOFError()) is None
