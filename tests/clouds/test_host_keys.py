"""What a machine's first boot printed of its host keys, between everything else that a console shows."""

from __future__ import annotations

import base64
import hashlib

import pytest

from provision.clouds.host_keys import of_keys, on_console

BLOB = base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00 " + bytes(range(32))).decode()
PRINT = "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(BLOB)).digest()).decode().rstrip("=")
OTHER, OLD = "SHA256:" + "A" * 43, "SHA256:" + "B" * 43
CONSOLE = """\
[   18.2] cloud-init[900]: Cloud-init v. 24.1 running 'modules:final'
ci-info: no authorized SSH keys fingerprints found for user ubuntu.
<14>Nov 23 10:00:00 cloud-init: #############################################################
<14>Nov 23 10:00:00 cloud-init: -----BEGIN SSH HOST KEY FINGERPRINTS-----
<14>Nov 23 10:00:00 cloud-init: 256 {print} root@ip-10-0-0-1 (ECDSA)\r
<14>Nov 23 10:00:00 cloud-init: -----END SSH HOST KEY FINGERPRINTS-----
-----BEGIN SSH HOST KEY KEYS-----
ssh-ed25519 {blob} root@ip-10-0-0-1
-----END SSH HOST KEY KEYS-----
login: """


def test_fingerprints_and_keys_are_read_whatever_stands_before_them() -> None:
    assert on_console(CONSOLE.format(print=OTHER, blob=BLOB)) == {OTHER, PRINT}


def test_the_newest_boot_counts() -> None:
    text = CONSOLE.format(print=OLD, blob=BLOB) + "\nrebooted\n" + CONSOLE.format(print=OTHER, blob=BLOB)
    assert on_console(text) == {OTHER, PRINT}


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"a user typed {OTHER}",
        f"-----BEGIN SSH HOST KEY FINGERPRINTS-----\n{OTHER}\n",
        "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 ???\n-----END SSH HOST KEY KEYS-----",
        "-----BEGIN SSH HOST KEY KEYS-----" * 2000,
    ],
)
def test_what_is_no_whole_block_says_nothing(text: str) -> None:
    assert on_console(text) == frozenset()


def test_guest_attributes_are_keys_by_type() -> None:
    assert of_keys([BLOB, "not base64", ""]) == {PRINT}
