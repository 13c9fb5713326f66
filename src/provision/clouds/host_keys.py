"""SSH host keys that a cloud itself shows of a machine: what its first boot printed on the console.

Source: cloud-init's module cc_keys_to_console and its helper write-ssh-key-fingerprints, which print both blocks on the
serial console: fingerprints as ssh-keygen shows them, and the public keys; guest attributes of Compute Engine hold the
public keys by type.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK = re.compile(
    r"-----BEGIN SSH HOST KEY (?P<kind>FINGERPRINTS|KEYS)-----(?P<text>.{0,65536}?)"
    r"-----END SSH HOST KEY (?P=kind)-----",
    re.DOTALL,
)
_FINGERPRINT = re.compile(r"\bSHA256:[A-Za-z0-9+/]{43}(?![A-Za-z0-9+/=])")
_KEY = re.compile(r"\b(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)) (?P<blob>[A-Za-z0-9+/]{40,4096}={0,2})")


def on_console(text: str) -> frozenset[str]:
    """Return the SHA-256 fingerprints, as OpenSSH writes them, that the newest boot printed; none where it did not."""
    newest: dict[str, str] = {}
    for block in _BLOCK.finditer(text):
        newest[block["kind"]] = block["text"]
    found = set(_FINGERPRINT.findall(newest.get("FINGERPRINTS", "")))
    return frozenset(found | of_keys(one["blob"] for one in _KEY.finditer(newest.get("KEYS", ""))))


def of_keys(blobs: Iterable[str]) -> frozenset[str]:
    """Return the fingerprints of public keys, given in base64; what is none is left out."""
    found = set()
    for blob in blobs:
        try:
            raw = base64.b64decode(blob, validate=True)
        except (binascii.Error, ValueError):
            continue
        if raw:
            found.add("SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("="))
    return frozenset(found)
