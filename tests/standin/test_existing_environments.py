"""What a command does to an environment that is already there depends on the version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.standin.conftest import Conda

FILE = "name: x\nchannels: []\ndependencies: [cuda-version=12.4]\n"


def built(conda: Conda, prefix: Path) -> Path:
    assert conda.run("create", "-y", "-p", prefix, "cuda-version=11.8").status == 0
    (prefix / "mine").write_text("precious")
    return prefix


# by version: the exit status, the cuda-version then there, and whether a file of the user's is still there
OUTCOMES = {
    "24.11.3": (1, {"11.8"}, True),
    "25.11.1": (0, {"12.4"}, True),
    "26.5.3": (0, {"12.4"}, True),
    "26.7.1": (0, {"12.4"}, False),
}


@pytest.mark.parametrize("version", OUTCOMES)
def test_env_create_refuses_modifies_or_recreates_by_version(
    versions: Mapping[str, Conda], prefix: Path, version: str
) -> None:
    status, versions_there, kept = OUTCOMES[version]
    conda = versions[version]
    built(conda, prefix)
    done = conda.run("env", "create", "-f", conda.file(FILE), "-p", prefix, "--json")
    assert done.status == status
    if status:
        assert done.document["exception_name"] == "CondaValueError"
    listed = conda.run("list", "-p", prefix, "--json").document
    assert {package["version"] for package in listed} == versions_there
    assert (prefix / "mine").exists() == kept


def test_create_without_yes_and_with_stdin_closed_does_nothing_and_exits_0(conda: Conda, prefix: Path) -> None:
    done = conda.run("create", "-p", prefix, "cuda-version")
    assert done.status == 0
    assert not prefix.exists()


@pytest.mark.parametrize(("version", "obeyed"), [("25.11.1", False), ("26.5.3", True), ("26.7.1", True)])
def test_a_prefix_in_the_file_is_obeyed_since_26_3(
    versions: Mapping[str, Conda], tmp_path: Path, version: str, obeyed: bool
) -> None:
    conda = versions[version]
    hostile = tmp_path / "documents"
    hostile.mkdir()
    file = conda.file(f"name: {version}\nprefix: {hostile}\n{FILE.partition(chr(10))[2]}")
    assert conda.run("env", "create", "-f", file).status == 0
    assert (hostile / "conda-meta/history").exists() == obeyed
    assert conda.run("env", "list", "--json").document["envs"][-1] == str(
        hostile if obeyed else conda.root / "envs" / version
    )


def test_a_prefix_in_the_file_can_delete_an_unrelated_folder_in_26_7(conda: Conda, tmp_path: Path) -> None:
    hostile = tmp_path / "documents"
    hostile.mkdir()
    (hostile / "thesis.tex").write_text("years of work")
    assert conda.run("env", "create", "-f", conda.file(f"prefix: {hostile}\n{FILE}")).status == 0
    assert not (hostile / "thesis.tex").exists()


def test_prune_removes_even_python_but_neither_pip_packages_nor_old_variables(conda: Conda, prefix: Path) -> None:
    first = "dependencies: [cuda-version, standin-alpha]\nvariables: {OLD: '1'}\n"
    assert conda.run("env", "create", "-f", conda.file(first), "-p", prefix).status == 0
    site = next(prefix.glob("lib/python3*/site-packages"))
    (site / "by_pip-1.0.dist-info").mkdir()
    (site / "by_pip-1.0.dist-info/METADATA").write_text("Name: by-pip\nVersion: 1.0\n")
    second = conda.file("dependencies: [cuda-version]\nvariables: {NEW: '1'}\n")
    assert conda.run("env", "update", "--prune", "-f", second, "-p", prefix).status == 0
    listed = conda.run("list", "-p", prefix, "--json").document
    assert [package["name"] for package in listed] == ["by-pip", "cuda-version"]
    assert '"OLD"' in (prefix / "conda-meta/state").read_text()


def test_update_without_prune_keeps_what_was_asked_for_before(conda: Conda, prefix: Path) -> None:
    built(conda, prefix)
    file = conda.file("dependencies: [standin-alpha]\n")
    assert conda.run("env", "update", "-f", file, "-p", prefix).status == 0
    names = {package["name"] for package in conda.run("list", "-p", prefix, "--json").document}
    assert names == {"cuda-version", "standin-alpha", "python"}


def test_a_name_that_looks_like_an_option_is_accepted(conda: Conda) -> None:
    file = conda.file("name: -x\ndependencies: [cuda-version]\n")
    assert conda.run("env", "create", "-f", file).status == 0
    assert (conda.root / "envs/-x/conda-meta/history").exists()
    assert conda.run("env", "remove", "-y", "-p", conda.root / "envs/-x").status == 0


@pytest.mark.parametrize("name", ["../../x", "base"])
def test_names_that_leave_the_envs_folder_are_refused(conda: Conda, name: str) -> None:
    done = conda.run("env", "create", "--json", "-f", conda.file(f"name: {name}\ndependencies: []\n"))
    assert (done.status, done.document["exception_name"]) == (1, "CondaValueError")


def test_removing_a_package_takes_what_needs_it_along(conda: Conda, prefix: Path) -> None:
    assert conda.run("create", "-y", "-p", prefix, "standin-gamma", "cuda-version").status == 0
    assert conda.run("remove", "-y", "-p", prefix, "standin-alpha").status == 0
    names = {package["name"] for package in conda.run("list", "-p", prefix, "--json").document}
    assert names == {"cuda-version", "python"}


def test_installing_adds_to_what_is_there(conda: Conda, prefix: Path) -> None:
    built(conda, prefix)
    assert conda.run("install", "-y", "-p", prefix, "standin-beta=1").status == 0
    listed = {package["name"]: package["version"] for package in conda.run("list", "-p", prefix, "--json").document}
    assert (listed["cuda-version"], listed["standin-beta"], listed["standin-alpha"]) == ("11.8", "1.0", "1.1")
