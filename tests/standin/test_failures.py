"""Failures exit 1 (2 for usage) and are told apart by ``exception_name``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.standin.conftest import Conda, Result, served

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from provision.demo.standin.channel import Channel

QUICK = {"http_backoff": 0.01}


def kind(done: Result) -> tuple[int, str]:
    return done.status, done.document["exception_name"]


@pytest.mark.parametrize(
    ("version", "command", "name"),
    [
        ("24.11.3", "create", "PackagesNotFoundError"),
        ("24.11.3", "env", "ResolvePackageNotFound"),
        ("26.7.1", "create", "PackagesNotFoundInChannelsError"),
        ("26.7.1", "env", "PackagesNotFoundInChannelsError"),
    ],
)
def test_an_unknown_package(versions: Mapping[str, Conda], prefix: Path, version: str, command: str, name: str) -> None:
    conda = versions[version]
    if command == "create":
        done = conda.run("create", "-y", "--json", "-p", prefix, "no-such-package")
    else:
        file = conda.file("dependencies: [no-such-package]\n")
        done = conda.run("env", "create", "--json", "-f", file, "-p", prefix)
    assert kind(done) == (1, name)
    assert "no-such-package" in done.document["message"]
    assert not prefix.exists()


@pytest.mark.parametrize(("version", "solver"), [("24.11.3", "LibMamba"), ("26.7.1", "Rattler")])
def test_specs_that_contradict_each_other(
    versions: Mapping[str, Conda], prefix: Path, version: str, solver: str
) -> None:
    done = versions[version].run("create", "-y", "--json", "-p", prefix, "standin-left", "standin-right")
    assert kind(done) == (1, f"{solver}UnsatisfiableError")


def test_no_name_exits_2(conda: Conda) -> None:
    assert conda.run("create", "-y", "cuda-version").status == 2
    assert conda.run("env", "create", "-f", conda.file("dependencies: []\n")).status == 2


def test_a_channel_that_is_not_there(conda: Conda, prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with served(tmp_path / "empty") as url:
        done = conda.run("create", "-y", "--json", "-p", prefix, "--override-channels", "-c", url, "x")
    assert kind(done) == (1, "UnavailableInvalidChannel")
    assert "404" in done.document["message"]


def test_a_channel_that_refuses_connections(conda: Conda, prefix: Path, tmp_path: Path) -> None:
    with served(tmp_path) as url:
        pass
    options = ("create", "-y", "--json", "-p", prefix, "--override-channels", "-c", url, "x")
    done = conda.run(*options, faults=QUICK)
    assert kind(done) == (1, "CondaHTTPError")
    assert "HTTP 000 CONNECTION FAILED" in done.document["message"]


def test_a_served_channel_works_like_a_folder(cold: Conda, prefix: Path, channel: Channel) -> None:
    with served(channel.path) as url:
        options = ("create", "-y", "-p", prefix, "--override-channels", "-c", url, "cuda-version=12.4")
        assert cold.run(*options).status == 0
    assert cold.run("create", "-y", "--offline", *options[2:]).status == 0


def test_a_package_with_another_checksum(cold: Conda, prefix: Path, with_terms: Channel) -> None:
    for package in with_terms.path.glob("noarch/cuda-version-12.4*"):
        package.unlink()
        package.write_bytes(b"something else")
    url = with_terms.path.as_uri()
    with_terms.set_terms(serve=False)
    options = ("create", "-y", "--json", "-p", prefix, "--override-channels", "-c", url, "cuda-version=12.4")
    assert kind(cold.run(*options)) == (1, "ChecksumMismatchError")


def test_pip_failing_leaves_the_environment_with_its_history(conda: Conda, prefix: Path, channel: Channel) -> None:
    file = conda.file("dependencies: [python, pip, {pip: [standin-clash]}]\n")
    index = channel.simple.as_uri()
    done = conda.run("env", "create", "--json", "-f", file, "-p", prefix, PIP_INDEX_URL=index)
    assert kind(done) == (1, "CondaEnvException")
    assert done.document["message"] == "Pip failed"
    assert (prefix / "conda-meta/history").exists()


@pytest.mark.parametrize(
    ("knobs", "name", "text"),
    [
        ({"fail_at": "extract:1"}, "InvalidArchiveError", "[Errno 28]"),
        ({"fail_at": "link:1"}, "CondaError", "errno: 28"),
        ({"fail_at": "link:1", "fail": "enospc-corrupted"}, "CorruptedEnvironmentError", "corrupted"),
    ],
)
def test_a_full_disk_is_told_in_three_ways(
    cold: Conda, prefix: Path, knobs: dict[str, str], name: str, text: str
) -> None:
    done = cold.run("create", "-y", "--json", "-p", prefix, "cuda-version", faults=knobs)
    assert kind(done) == (1, name)
    assert text in done.document["message"]
    assert not prefix.exists()


def test_without_any_channel_26_complains_and_older_ones_use_defaults(
    versions: Mapping[str, Conda], prefix: Path
) -> None:
    rc = "channels: []\nchannel_alias: http://127.0.0.1:9\ndefault_channels: [http://127.0.0.1:9/main]\n"
    for version, expected in (("25.11.1", "CondaHTTPError"), ("26.7.1", "NoChannelsConfiguredError")):
        conda = versions[version]
        base = conda.root / ".condarc"
        before = base.read_text()
        base.write_text(rc)
        try:
            done = conda.run("create", "-y", "--json", "-p", prefix, "x", faults=QUICK)
        finally:
            base.write_text(before)
        assert kind(done) == (1, expected)
