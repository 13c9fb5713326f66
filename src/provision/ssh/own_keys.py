"""The user's own key pair on this machine: found, its public half read, or made."""

from __future__ import annotations

import base64
import binascii
import getpass
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.remote.keys import PublicKey
from provision.ssh.identities import DEFAULT_KEYS, KEYRING
from provision.ssh.private_keys import NeedsPassphraseError, UnusableKeyError, public_blob, read_key_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES = re.compile(r"ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)")
_MAX_COMMENT = 100
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key of the user's."""

    path: Path
    """The private half; it may live in the agent alone."""
    public: PublicKey


def find_pair(chosen: str | None) -> KeyPair | None:
    """Return the chosen key, else ssh's first default one that is there; ``None`` where there is none.

    Raises:
        UsageError: a key is there whose public half cannot be had.
    """
    for path in _candidates(chosen):
        pub = path.with_name(path.name + ".pub")
        if path.exists() or pub.exists():
            return KeyPair(path, _public(path, pub))
    return None


def new_pair_path(chosen: str | None) -> Path:
    """Return where a new key belongs: where the inventory says that it is, else ssh's own place."""
    return next(_candidates(chosen))


def make_pair(path: Path) -> KeyPair:
    """Make an ed25519 key without a passphrase, as `ssh-keygen -t ed25519 -N ''` does; never over another file.

    Raises:
        UsageError: the files cannot be written.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    line = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode()
    kind, blob = line.split()
    public = PublicKey(kind, blob, _clean(f"{getpass.getuser()}@{socket.gethostname()}"))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, secret, 0o600)
        _write_new(path.with_name(path.name + ".pub"), f"{line} {public.comment}\n".encode(), 0o644)
    except OSError as error:
        raise UsageError(f"{error.filename or path}: cannot be written: {error.strerror}") from None
    return KeyPair(path, public)


def is_locked(path: Path) -> bool:
    """Return whether a private key has a passphrase that has not been given in this process."""
    try:
        KEYRING.open(path, read_key_file(path), None)
    except NeedsPassphraseError:
        return True
    except UnusableKeyError:
        return False
    return False


def parse_public(text: str, shown: str) -> PublicKey:
    """Return the key of a ``.pub`` file's text.

    Raises:
        UsageError: it holds something else, or a kind of key that cannot be used here.
    """
    # Not splitlines(): a comment may hold what only Unicode takes for the end of a line.
    lines = [line for line in text.split("\n") if line.strip()]
    words = lines[0].split(None, 2) if len(lines) == 1 else []
    if len(words) < 2:  # noqa: PLR2004 - type and key
        raise UsageError(f"{shown}: not a public key, expected one line such as 'ssh-ed25519 AAAA... me@here'")
    kind, blob = words[:2]
    if not _TYPES.fullmatch(kind):
        raise UsageError(
            f"{shown}: keys of the type '{kind[:60]}' are not supported", hint="ssh-keygen -t ed25519 makes one that is"
        )
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error:
        raw = b""
    if _type_of(raw) != kind:
        raise UsageError(f"{shown}: the key is damaged (it is not the '{kind}' that it says)")
    return PublicKey(kind, blob, _clean(words[2]) if len(words) > 2 else "")  # noqa: PLR2004 - and a comment


def _candidates(chosen: str | None) -> Iterator[Path]:
    if chosen is not None:
        yield Path(chosen.removesuffix(".pub")).expanduser()
        return
    folder = Path.home() / ".ssh"
    # One whose private half is a file comes first: the other kind only works where an agent has it.
    names = sorted(DEFAULT_KEYS, key=lambda one: not (folder / one).exists())
    yield from (folder / one for one in names)


def _public(path: Path, pub: Path) -> PublicKey:
    try:
        if pub.exists():
            return parse_public(read_key_file(pub).decode("utf-8", "replace"), str(pub))
        blob = public_blob(path, read_key_file(path))
    except UnusableKeyError as error:
        raise UsageError(f"{path}: {error}") from None
    if blob is None:
        raise UsageError(f"{pub}: no such file", hint=f"ssh-keygen -y -f {path} >{pub}")
    return parse_public(f"{_type_of(blob)} {base64.b64encode(blob).decode()}", str(path))


def _type_of(raw: bytes) -> str | None:
    """Return the type that a public key itself names (RFC 4253, 6.6)."""
    length = int.from_bytes(raw[:_LENGTH_BYTES], "big")
    name = raw[_LENGTH_BYTES : _LENGTH_BYTES + length]
    return name.decode("ascii", "replace") if 0 < length == len(name) else None


def _clean(comment: str) -> str:
    return "".join(one for one in comment if one.isascii() and one.isprintable())[:_MAX_COMMENT].strip()


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(data)
        os.fsync(stream.fileno())
