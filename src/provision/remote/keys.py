"""The program that lets a public key log in, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass

from provision.model.plan import Program


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key in the form of OpenSSH's ``.pub`` files."""

    type: str
    """``ssh-ed25519``, ``ssh-rsa``..."""
    blob: str
    """base64."""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Installed:
    """What the program found and did."""

    state: str
    """``added``, ``present``, or ``restricted``: it stands there behind options that limit it."""
    open_home: str | None
    """The home, where others can write it: sshd then refuses every key."""


def install_key(key: PublicKey) -> Program:
    """Put a public key into the login user's authorized_keys, unless it is there."""
    return Program("install_key.sh", (key.type, key.blob, key.comment), timeout=30)


def read_answer(output: bytes) -> Installed | None:
    """Return what the program printed; ``None``: it is not its answer."""
    first, *more = output.decode("utf-8", "replace").splitlines() or [""]
    if first not in {"added", "present", "restricted"}:
        return None
    opened = next((line.removeprefix("open ") for line in more if line.startswith("open ")), None)
    return Installed(first, opened)
