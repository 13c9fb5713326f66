"""The venv beside requirements.txt, and the lines that belong to conda."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.venv.against_requirements import judge_lines, judge_requirements
from provision.venv.belonging import RULE, belongs_to_conda, is_system
from provision.venv.declared import Requirements, read_requirements
from provision.venv.remark import Level, Remark
from tests.unit.venv.made import listing

if TYPE_CHECKING:
    from pathlib import Path


def declared(tmp_path: Path, *lines: str) -> Requirements:
    path = tmp_path / "requirements.txt"
    path.write_text("\n".join(lines) + "\n")
    return read_requirements(path)


def judged(asked: Requirements, *packages: str) -> dict[str, Remark]:
    return {one.check: one for one in judge_requirements(asked, listing(*packages), "pip install it")}


def test_a_venv_that_has_everything_is_well(tmp_path: Path) -> None:
    found = judged(declared(tmp_path, "NumPy>=1.26", "typing_extensions"), "numpy==2.1.0", "typing-extensions==4")
    assert [one.level for one in found.values()] == [Level.OK]


def test_what_is_missing_and_what_has_another_version_is_named_with_the_command(tmp_path: Path) -> None:
    found = judged(declared(tmp_path, "torch==2.4.0", "numpy<2", "einops"), "torch==2.4.0+cpu", "numpy==2.1.0")
    assert found["requirements-missing"].names == ("einops",)
    assert found["requirements-missing"].level is Level.PROBLEM
    assert found["requirements-unmet"].names == ("numpy<2 (there is 2.1.0)",)
    assert found["requirements-unmet"].fix == "pip install it"


def test_a_line_for_another_system_is_not_missing(tmp_path: Path) -> None:
    assert "requirements-missing" not in judged(declared(tmp_path, "pywin32; sys_platform == 'win32'", "six"), "six==1")


def test_only_what_was_asked_for_by_name_is_extra(tmp_path: Path) -> None:
    found = judged(declared(tmp_path, "six"), "six==1*", "wandb==0.18*", "urllib3==2", "pip==24*")
    assert found["requirements-extra"].names == ("wandb 0.18",)
    assert found["requirements-extra"].level is Level.ADVICE


@pytest.mark.parametrize(
    ("name", "conda"),
    [
        ("nvidia-cublas-cu12", "libcublas"),
        ("nvidia_cuda_runtime_cu11", "cuda-cudart"),
        ("nvidia-cudnn-cu12", "cudnn"),
        ("nvidia-nccl-cu13", "nccl"),
        ("nvidia-nvshmem-cu12", None),
        ("cudatoolkit", "cudatoolkit"),
        ("mkl", "mkl"),
        ("ffmpeg", "ffmpeg"),
        ("gcc_linux-64", "gcc_linux-64"),
        ("liblzma", "xz"),
    ],
)
def test_system_libraries_belong_to_conda(name: str, conda: str | None) -> None:
    found = belongs_to_conda(name)
    assert found is not None
    assert found.conda == conda


@pytest.mark.parametrize(
    "name", ["torch", "triton", "numpy", "nvidia-ml-py", "nvidia-dali-python", "cupy-cuda12x", "ffmpeg-python", "h5py"]
)
def test_python_packages_belong_to_pip(name: str) -> None:
    assert belongs_to_conda(name) is None


@pytest.mark.parametrize(
    "name", ["cudatoolkit", "libgcc-ng", "_openmp_mutex", "gxx_linux-64", "python", "pytorch-cuda"]
)
def test_packages_of_conda_that_are_no_python_distribution(name: str) -> None:
    assert is_system(name)


@pytest.mark.parametrize("name", ["pytorch", "numpy", "tqdm", "scikit-learn", "cupy", "gitpython", "rsa", "tk-tools"])
def test_packages_of_conda_that_are_a_python_distribution(name: str) -> None:
    assert not is_system(name)


def test_lines_of_conda_are_named_with_the_rule_and_where_they_go(tmp_path: Path) -> None:
    (found,) = judge_lines(declared(tmp_path, "numpy", "mkl==2024.0", "ffmpeg"))
    assert found.names[0].startswith("mkl (")
    assert found.names[0].endswith("requirements.txt:2: MKL)")
    assert len(found.names) == 2
    assert found.fix is not None
    assert RULE in found.fix
    assert "ffmpeg, mkl into conda's list" in found.fix
    assert list(judge_lines(declared(tmp_path, "numpy"))) == []


def test_cuda_beside_torch_is_to_be_taken_out_for_torch_brings_it(tmp_path: Path) -> None:
    (found,) = judge_lines(declared(tmp_path, "torch", "nvidia-cublas-cu12"))
    assert found.fix is not None
    assert "torch brings" in found.fix
    assert "libcublas" not in found.fix
