"""Configuration files and variables merge as conda's do: a private one adds, it does not replace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.standin.conftest import Conda, Result

    from provision.demo.standin.channel import Channel


def names(done: Result) -> list[str]:
    return list(done.document["channels"])


def test_a_private_condarc_only_adds_to_the_users_and_to_bases(conda: Conda, tmp_path: Path) -> None:
    (conda.home / ".condarc").write_text("channels: [theirs]\n")
    (tmp_path / "private").write_text("channels: [ours]\n")
    done = conda.run("config", "--show", "--json", CONDARC=str(tmp_path / "private"))
    assert names(done) == ["ours", "theirs", "defaults"]


def test_the_channels_variable_merges_too(conda: Conda) -> None:
    assert names(conda.run("config", "--show", "--json", CONDA_CHANNELS="a,b")) == ["a", "b", "defaults"]


def test_default_packages_of_the_user_leak_in_unless_home_is_private(
    conda: Conda, channel: Channel, tmp_path: Path
) -> None:
    (conda.home / ".condarc").write_text("create_default_packages: [cuda-version]\n")
    private = tmp_path / "private"
    private.mkdir()
    for home, expected in ((conda.home, {"python", "cuda-version"}), (private, {"python"})):
        target = tmp_path / f"env-of-{home.name}"
        options = ("--override-channels", "-c", channel.url, "python")
        assert conda.run("create", "-y", "-p", target, *options, HOME=str(home)).status == 0
        listed = conda.run("list", "-p", target, "--json").document
        assert {package["name"] for package in listed} == expected


@pytest.mark.parametrize("version", ["24.11.3", "25.11.1", "26.5.3", "26.7.1"])
def test_the_one_form_that_passes_in_all_versions(
    versions: Mapping[str, Conda], channel: Channel, prefix: Path, version: str
) -> None:
    conda = versions[version]
    specs = conda.file("# what we want\ncuda-version=12.4\n\n", "specs.txt")
    options = ("--override-channels", "-c", channel.url, "--file", specs)
    assert conda.run("create", "-y", "-q", "-p", prefix, *options).status == 0
    assert [package["version"] for package in conda.run("list", "-p", prefix, "--json").document] == ["12.4"]


@pytest.mark.parametrize(("version", "status"), [("26.5.3", 0), ("26.7.1", 1)])
def test_nodefaults_works_up_to_26_5(
    versions: Mapping[str, Conda], channel: Channel, prefix: Path, version: str, status: int
) -> None:
    conda = versions[version]
    file = conda.file(f"channels: ['{channel.url}', nodefaults]\ndependencies: [cuda-version]\n")
    done = conda.run("env", "create", "--json", "-f", file, "-p", prefix, CONDA_CHANNELS="http://127.0.0.1:9")
    assert done.status == status
    if status:
        assert done.document["exception_name"] == "UnavailableInvalidChannel"


def test_a_files_channels_are_added_to_the_configured_ones(conda: Conda, with_terms: Channel, prefix: Path) -> None:
    # python is only in the configured channel, so this file could not be solved with its own alone
    file = conda.file(f"channels: ['{with_terms.url}']\ndependencies: [standin-alpha]\n")
    assert conda.run("env", "create", "-f", file, "-p", prefix).status == 0


def test_an_alias_and_custom_channels_redirect_names(conda: Conda, channel: Channel, prefix: Path) -> None:
    parent, name = channel.path.parent.as_uri(), channel.path.name
    (conda.home / ".condarc").write_text(f"channel_alias: {parent}\n")
    options = ("--override-channels", "-c", name, "cuda-version")
    assert conda.run("create", "-y", "-p", prefix, *options).status == 0
    (conda.home / ".condarc").write_text(f"custom_channels: {{{name}: '{parent}'}}\n")
    assert conda.run("create", "-y", "-p", prefix, *options).status == 0


def test_the_package_cache_is_bases_unless_told_otherwise(conda: Conda) -> None:
    assert conda.run("info", "--json", CONDA_PKGS_DIRS="").document["pkgs_dirs"][0] == str(conda.root / "pkgs")
    assert conda.run("info", "--json").document["pkgs_dirs"] == [str(conda.pkgs)]
