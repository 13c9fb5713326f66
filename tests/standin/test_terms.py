"""The Terms of Service gate fires where the real one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.standin.conftest import Conda, Result

if TYPE_CHECKING:
    from pathlib import Path

    from provision.demo.standin.channel import Channel


@pytest.fixture
def gated(conda: Conda, with_terms: Channel, tmp_path: Path) -> Conda:
    rc = tmp_path / "gated.condarc"
    rc.write_text(f"channels: ['{with_terms.url}']\n")
    return Conda(conda.root, conda.home, conda.pkgs, {"CONDARC": str(rc)})


def refused(done: Result) -> bool:
    return done.status == 1 and done.document["exception_name"] == "CondaToSNonInteractiveError"


def test_create_is_stopped_and_yes_does_not_help(gated: Conda, prefix: Path, with_terms: Channel) -> None:
    done = gated.run("create", "-y", "--json", "-p", prefix, "cuda-version")
    assert refused(done)
    assert with_terms.url in done.document["message"]
    assert not prefix.exists()


def test_env_create_is_stopped_although_the_file_names_another_channel(
    gated: Conda, prefix: Path, channel: Channel
) -> None:
    file = gated.file(f"channels: ['{channel.url}']\ndependencies: [cuda-version]\n")
    assert refused(gated.run("env", "create", "--json", "-f", file, "-p", prefix))


def test_the_channels_of_an_environment_file_are_never_asked_for_terms(
    conda: Conda, prefix: Path, with_terms: Channel
) -> None:
    file = conda.file(f"channels: ['{with_terms.url}']\ndependencies: [cuda-version]\n")
    assert conda.run("env", "create", "-f", file, "-p", prefix).status == 0


def test_even_an_explicit_list_is_stopped(gated: Conda, prefix: Path, channel: Channel) -> None:
    package = next(channel.path.glob("noarch/cuda-version-12.4*"))
    listed = gated.file(f"@EXPLICIT\n{package.as_uri()}\n", "explicit.txt")
    assert refused(gated.run("create", "-y", "--json", "-p", prefix, "--file", listed))


def test_a_channel_given_with_c_is_asked_for_terms(conda: Conda, prefix: Path, with_terms: Channel) -> None:
    assert refused(conda.run("create", "-y", "--json", "-p", prefix, "-c", with_terms.url, "cuda-version"))


def test_overriding_with_channels_without_terms_passes(gated: Conda, prefix: Path, channel: Channel) -> None:
    options = ("--override-channels", "-c", channel.url)
    assert gated.run("create", "-y", "-p", prefix, *options, "cuda-version").status == 0


def test_the_automatic_acceptance_of_the_environment_passes(gated: Conda, prefix: Path) -> None:
    done = gated.run("create", "-y", "-p", prefix, "cuda-version", CONDA_PLUGINS_AUTO_ACCEPT_TOS="yes")
    assert done.status == 0


def test_accepting_is_remembered_for_the_user(gated: Conda, prefix: Path, with_terms: Channel) -> None:
    assert gated.run("tos", "accept", "--override-channels", "--channel", with_terms.url).status == 0
    assert gated.run("create", "-y", "-p", prefix, "cuda-version").status == 0
    other = Conda(gated.root, prefix.parent / "other", gated.pkgs, gated.env)
    other.home.mkdir()
    assert refused(other.run("create", "-y", "--json", "-p", prefix, "cuda-version"))


def test_viewing_shows_the_text_and_accepts_nothing(gated: Conda, prefix: Path) -> None:
    assert "They bind nobody" in gated.run("tos", "view").out
    assert refused(gated.run("create", "-y", "--json", "-p", prefix, "cuda-version"))
