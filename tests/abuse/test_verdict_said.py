"""What is said of a failure beside its cause, and folders for notes that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.pitfalls import match, shipped
from provision.pitfalls.pattern import pattern
from tests.unit.cli.test_report import MET, remember
from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from pathlib import Path

IGNORED = "ERROR: Ignored the following versions that require a different python version: 1.21.2 Requires-Python <3.11"
RETRIED = (
    "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection broken"
    " by '{}': /simple/torch/\nCollecting torch==2.5.1\n  Downloading torch-2.5.1.whl (906.4 MB)\n"
)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A user's machine with an empty project."""
    return Desk(tmp_path / "home")


def found(text: str) -> list[str]:
    return [one.id for one in match(text, shipped(), "build environment m")]


def test_a_version_that_does_not_exist_is_not_blamed_on_python() -> None:
    """pip prints the first line whenever some other version wants another Python."""
    text = (
        f"{IGNORED}\nERROR: Could not find a version that satisfies the requirement numpy==99.0"
        " (from versions: 1.26.0, 2.0.0)\nERROR: No matching distribution found for numpy==99.0\n"
    )
    assert "pip-no-distribution" in found(text)


@pytest.mark.parametrize(
    ("error", "alarm"),
    [
        ("ReadTimeoutError(\"HTTPSConnectionPool(host='pypi.org', port=443): Read timed out. (15)\")", "pip-timeout"),
        (
            "NewConnectionError('<x>: Failed to establish a new connection: [Errno 101] Network is unreachable')",
            "net-unreachable",
        ),
        ("ConnectionResetError(104, 'Connection reset by peer')", "net-unreachable"),
    ],
)
def test_a_download_that_succeeded_at_its_second_try_is_not_why_a_compiler_failed(error: str, alarm: str) -> None:
    text = RETRIED.format(error) + "error: subprocess-exited-with-error\nsrc/x.c:3:10: fatal error: foo.h: missing\n"
    assert alarm not in found(text)


def test_a_warning_of_apt_about_another_archive_is_not_why_a_package_is_missing() -> None:
    text = (
        "W: GPG error: https://packages.example.com/apt stable InRelease: The following signatures couldn't be verified"
        " because the public key is not available: NO_PUBKEY C0BA5CE6DC6315A3\nE: Unable to locate package tmuxx\n"
    )
    assert found(text) == ["apt-no-package"]


@pytest.mark.parametrize("value", [r"(?i)[^z]{0,140}[^z]{0,140}zzzz", r"(?i)\w{0,26}\w{0,26}\w{0,26}zzzz"])
def test_an_expression_that_searches_for_twenty_seconds_is_refused(value: str) -> None:
    """Measured on 128 KiB of one letter: 21 s each, again for every host that fails; a team may have many of them."""
    with pytest.raises(ValueError, match="too long"):
        pattern(value)


@pytest.mark.parametrize("name", ["~no-such-login/notes", "x" * 300])
def test_a_folder_for_notes_that_cannot_be_is_a_sentence(desk: Desk, name: str) -> None:
    remember(desk, MET)
    answer = desk.type("report", "--notes", name)
    assert answer.code == 2
    assert "Traceback" not in answer.err


def test_the_name_of_a_folder_for_notes_moves_nothing_on_the_screen(desk: Desk) -> None:
    remember(desk, MET)
    assert "\x1b" not in desk.type("report", "--notes", "a\x1b[2Jb").out
