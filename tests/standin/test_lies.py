"""Exit status 0 although something is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.standin.conftest import Conda


def builds(conda: Conda, prefix: Path) -> dict[str, str]:
    listed = conda.run("list", "-p", prefix, "--json").document
    return {package["name"]: package["build_string"] for package in listed}


def test_a_misspelt_key_is_ignored(conda: Conda, prefix: Path) -> None:
    file = conda.file("dependancies: [cuda-version]\n")
    done = conda.run("env", "create", "-f", file, "-p", prefix)
    assert done.status == 0
    assert "dependancies" in done.err
    assert builds(conda, prefix) == {}


def test_a_bad_spec_is_an_error_up_to_26_5(versions: Mapping[str, Conda], prefix: Path) -> None:
    done = versions["26.5.3"].run("create", "-y", "--json", "-p", prefix, "cuda-version==>3")
    assert (done.status, done.document["exception_name"]) == (1, "InvalidMatchSpec")


def test_a_bad_spec_is_taken_for_any_version_in_26_7(conda: Conda, prefix: Path) -> None:
    assert conda.run("create", "-y", "-p", prefix, "cuda-version==>3").status == 0
    assert "cuda-version" in builds(conda, prefix)


@pytest.mark.parametrize(
    ("driver", "build"),
    [
        ("", "cpu_standin_0"),
        ("11.8", "cpu_standin_0"),
        ("12.4", "cuda124_standin_200"),
        ("12.8", "cuda128_standin_200"),
    ],
)
def test_the_build_of_pytorch_follows_what_the_driver_is_said_to_serve(
    conda: Conda, prefix: Path, driver: str, build: str
) -> None:
    done = conda.run("create", "-y", "-p", prefix, "pytorch", CONDA_OVERRIDE_CUDA=driver)
    assert done.status == 0
    assert builds(conda, prefix)["pytorch"] == build


def test_doctor_finds_missing_files_and_exits_0(conda: Conda, prefix: Path) -> None:
    assert conda.run("create", "-y", "-p", prefix, "cuda-version=12.4").status == 0
    (prefix / "share/cuda-version/12.4").unlink()
    done = conda.run("doctor", "-p", prefix)
    assert done.status == 0
    assert "Missing Files: cuda-version: 1" in done.out
