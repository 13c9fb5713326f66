"""Which ciphers, MACs and key exchanges we offer, and what to say when a server has none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.ssh.early import IDENTIFICATION
from provision.ssh.greeting import Greeted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import paramiko

CIPHERS = (
    "aes128-gcm@openssh.com",  # measured: half as fast again as CTR
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
    "aes192-ctr",
)
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
KEX = (
    "mlkem768x25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group14-sha256",
)

DISABLED: dict[str, list[str]] = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-sha1", "hmac-sha1-96", "hmac-md5", "hmac-md5-96"],
}
"""What paramiko 5 still offers and we do not: CBC with CVE-2023-48795 (Terrapin), and obsolete MACs."""

_SHA1_ONLY = "the server only offers SHA-1 or older algorithms; OpenSSH 7.2 (2016) or newer is needed there"

_REASONS = {
    "host key": f"no host key algorithm in common: {_SHA1_ONLY}",
    "kex": f"no key exchange in common: {_SHA1_ONLY}",
    "macs": f"no message authentication code in common: {_SHA1_ONLY}",
    "ciphers": "no cipher in common: the server has neither AES-GCM nor AES-CTR; use OpenSSH 7.2 or newer",
}


def new_transport(
    sock: Any,
    disabled_algorithms: dict[str, Iterable[str]] | None = None,
    *,
    key_types: Sequence[str] = (),
    **options: Any,
) -> paramiko.Transport:
    """Return a client transport that offers modern algorithms alone, the best first.

    It serves as ``transport_factory`` of SSHClient.connect.

    Args:
        sock: A connected socket or channel.
        disabled_algorithms: More to leave out, as paramiko names them.
        key_types: Host key algorithms in order, from `host_keys.Verifier.key_types`.
        options: Further arguments of paramiko.Transport, such as default_window_size.
    """
    import paramiko

    disabled: dict[str, Iterable[str]] = {**DISABLED, **(disabled_algorithms or {})}
    greeted: Any = Greeted(sock)
    transport = paramiko.Transport(greeted, disabled_algorithms=disabled, strict_kex=True, **options)
    # A socket that was dialled early has sent this line already.
    transport.local_version = IDENTIFICATION
    security = transport.get_security_options()
    security.ciphers = _offered(CIPHERS, security.ciphers)
    security.digests = _offered(MACS, security.digests)
    # The newest key exchange depends on the version of the cryptography library.
    security.kex = _offered(KEX, security.kex)
    if key_types:
        security.key_types = tuple(key_types)
    return transport


def _offered(wanted: Sequence[str], available: Iterable[str]) -> tuple[str, ...]:
    have = set(available)
    return tuple(name for name in wanted if name in have)


def explain_negotiation(error: BaseException) -> tuple[str, str] | None:
    """Return (message, hint) for a handshake that found no common algorithm; ``None`` for any other error."""
    text = str(error)
    if "no acceptable" not in text:
        return None
    for word, reason in _REASONS.items():
        if word in text:
            return (
                reason,
                "update the OpenSSH server on the host; provision does not fall back to broken algorithms",
            )
    return f"no algorithm in common ({text})", "update the OpenSSH server on the host"
