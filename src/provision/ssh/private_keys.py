"""Private keys on disk: which files may be used, and how an encrypted one is opened, once per process."""

from __future__ import annotations

import base64
import binascii
import copy
import io
import os
import shlex
import stat
import threading
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from paramiko import ECDSAKey, Ed25519Key, PKey, RSAKey, SSHException

from provision.ssh.files import read_regular

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MAX_BYTES = 64 << 10
_PASSPHRASE_TRIES = 3
_MAGIC = b"openssh-key-v1\0"


class UnusableKeyError(Exception):
    """A key file that is passed over, with the reason in words."""


class NeedsPassphraseError(UnusableKeyError):
    """The key is encrypted and nobody gave its passphrase."""


def read_key_file(path: Path) -> bytes:
    """Return the content of a private key file, under the conditions that ssh sets too.

    Raises:
        UnusableKeyError: It is absent, no ordinary small file, or open to other users.
    """
    try:
        data, state = read_regular(path, _MAX_BYTES)
    except FileNotFoundError:
        raise UnusableKeyError("no such file") from None
    except OSError as error:
        raise UnusableKeyError(f"cannot be read: {error.strerror}") from None
    if b"PRIVATE KEY" in data and state.st_uid == os.geteuid() and state.st_mode & 0o077:
        mode = stat.S_IMODE(state.st_mode)
        raise UnusableKeyError(f"other users can read it (mode {mode:04o}): chmod 600 {path}")
    return data


def public_blob(path: Path, data: bytes) -> bytes | None:
    """Return the public half of a key file without its passphrase: from its head, or the ``.pub`` file."""
    blob = _public_line(data) or _head_blob(data)
    if blob is not None:
        return blob
    try:
        return _public_line(read_key_file(path.with_name(path.name + ".pub")))
    except UnusableKeyError:
        return None


def _public_line(text: bytes) -> bytes | None:
    words = text.split(None, 2)
    if len(words) < 2 or not words[0].startswith((b"ssh-", b"ecdsa-", b"sk-")):  # noqa: PLR2004
        return None
    try:
        return base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return None


def _head_blob(data: bytes) -> bytes | None:
    """Read the open head of an OpenSSH key file (PROTOCOL.key): cipher, kdf, options, count, public key."""
    try:
        raw = base64.b64decode(b"".join(line for line in data.splitlines() if not line.startswith(b"-----")))
    except binascii.Error:
        return None
    if not raw.startswith(_MAGIC):
        return None
    position = len(_MAGIC)
    for _ in range(3):
        position += 4 + int.from_bytes(raw[position : position + 4], "big")
    position += 4
    length = int.from_bytes(raw[position : position + 4], "big")
    blob = raw[position + 4 : position + 4 + length]
    return blob if len(blob) == length > 0 else None


class Keyring:
    """Opens private keys; each passphrase is asked for once, however many hosts and threads want the key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[tuple[str, int], PKey | str] = {}
        """Keys, or why one stays closed."""

    def open(self, path: Path, data: bytes, ask: Callable[[str], str | None] | None) -> PKey:
        """Return the key of a file's content.

        Raises:
            NeedsPassphraseError: Nobody can be asked, or the answers were wrong.
            UnusableKeyError: It is no key that we can use.
        """
        return _parse(data, None) or self._open_encrypted(path, data, ask)

    def _open_encrypted(self, path: Path, data: bytes, ask: Callable[[str], str | None] | None) -> PKey:
        name = (os.path.realpath(path), hash(data))
        # One lock for all: two questions at once would not be readable anyway.
        with self._lock:
            if name not in self._opened and ask is not None:
                self._opened[name] = _ask_and_parse(path, data, ask)
            key = self._opened.get(name, "it has a passphrase, and there is no terminal to ask for it")
        if isinstance(key, str):
            raise NeedsPassphraseError(f"{key}: ssh-add {shlex.quote(str(path))}")
        return key


def _ask_and_parse(path: Path, data: bytes, ask: Callable[[str], str | None]) -> PKey | str:
    """Return the opened key, or why it stays closed."""
    for attempt in range(_PASSPHRASE_TRIES):
        again = "Wrong. " if attempt else ""
        answer = ask(f"{again}Passphrase of {path}: ")
        if not answer:
            return "it has a passphrase, and none was given"
        try:
            key = _parse(data, answer.encode())
        except UnusableKeyError:
            continue
        if key is not None:
            return key
    return f"it has a passphrase, and {_PASSPHRASE_TRIES} wrong ones were given"


def _parse(data: bytes, passphrase: bytes | None) -> PKey | None:
    """Return the key; ``None`` where it needs a passphrase and none is given."""
    if b"PRIVATE KEY" not in data:
        raise UnusableKeyError("not a private key")
    load = serialization.load_ssh_private_key
    if b"BEGIN OPENSSH PRIVATE KEY" not in data:
        load = serialization.load_pem_private_key  # type: ignore[assignment]
    try:
        loaded = load(data, passphrase)
    except TypeError:
        return None  # the library's way to say that a passphrase is needed
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase is None and b"ENCRYPTED" in data:
            return None
        raise UnusableKeyError("the key cannot be read (damaged, or of a kind that we do not know)") from error
    return _as_paramiko(loaded)


def _as_paramiko(loaded: object) -> PKey:
    if isinstance(loaded, rsa.RSAPrivateKey):
        return RSAKey(key=loaded)
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        return ECDSAKey(vals=(loaded, loaded.public_key()))
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        text = loaded.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        return Ed25519Key(file_obj=io.StringIO(text.decode()))
    raise UnusableKeyError(f"keys of this kind ({type(loaded).__name__}) are not supported")


def with_certificate(path: Path, key: PKey) -> PKey | None:
    """Return a copy of the key that shows the certificate beside its file; ``None`` where there is none.

    Raises:
        UnusableKeyError: The certificate cannot be read.
    """
    beside = path.with_name(path.name + "-cert.pub")
    if not beside.is_file():
        return None
    certified = copy.copy(key)
    try:
        certified.load_certificate(str(beside))
    except (SSHException, ValueError, OSError) as error:
        raise UnusableKeyError(f"its certificate {beside.name} cannot be used ({error})") from None
    return certified
