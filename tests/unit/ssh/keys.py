"""Keys made for the occasion."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
from typing import TYPE_CHECKING

from provision.ssh.known_hosts import HostKey

if TYPE_CHECKING:
    from pathlib import Path


def keygen(path: Path, kind: str = "ed25519", passphrase: str = "", *options: str) -> Path:
    """Make a private key (0600) and its .pub file."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path), *options]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def public(path: Path) -> HostKey:
    """Read the public half."""
    kind, blob, *_ = path.with_name(path.name + ".pub").read_text().split()
    return HostKey(kind, blob)


def made_up(kind: str, seed: str) -> HostKey:
    """Make a key that nobody can sign with, for tables."""
    body = hashlib.sha256(seed.encode()).digest()
    name = kind.encode()
    return HostKey.of(kind, len(name).to_bytes(4, "big") + name + len(body).to_bytes(4, "big") + body)


def hashed(name: str) -> str:
    """Hash a host name as HashKnownHosts does."""
    salt = hashlib.sha1(name.encode()).digest()  # noqa: S324 (the format's)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
