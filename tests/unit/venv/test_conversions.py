"""requirements.txt becomes environment.yml, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet

from provision.environment.matchspec import parse
from provision.environment.spec import EnvironmentSpec, load_spec
from provision.errors import BadFileError
from provision.venv.to_environment import environment_from
from provision.venv.to_requirements import requirements_from
from provision.venv.versions import to_conda, to_pip

if TYPE_CHECKING:
    from pathlib import Path


def environment(root: Path, *lines: str) -> tuple[EnvironmentSpec, str, str]:
    """Return what becomes of a requirements.txt: as it is read again, its text, and the notes."""
    (root / "requirements.txt").write_text("\n".join(lines) + "\n")
    made = environment_from(root / "requirements.txt", "mymodel")
    (root / "environment.yml").write_text(made.text)
    return load_spec(root / "environment.yml", "mymodel", root), made.text, "\n".join(made.notes)


def back(root: Path, text: str) -> tuple[str, str]:
    """Return the requirements.txt that an environment.yml becomes, and the notes."""
    (root / "environment.yml").write_text(text)
    made = requirements_from(root / "environment.yml", "mymodel", root)
    return made.text, "\n".join(made.notes)


HEAD = "name: x\nchannels: [conda-forge]\ndependencies:\n"


def test_system_libraries_go_to_conda_and_the_rest_stays_with_pip(tmp_path: Path) -> None:
    spec, _, notes = environment(
        tmp_path, "numpy>=1.26", "mkl==2024.0", "ffmpeg", "gcc_linux-64==12.*", "cudatoolkit~=11.8", "triton"
    )
    python, *conda = spec.dependencies
    assert python.startswith("python=")
    assert conda == ["mkl==2024.0", "ffmpeg", "gcc_linux-64 12.*", "cudatoolkit~=11.8", "pip"]
    assert spec.pip == ("numpy>=1.26", "triton")
    assert "mkl==2024.0: moved to conda: MKL" in notes


def test_cuda_wheels_go_to_condas_packages_unless_torch_brings_them(tmp_path: Path) -> None:
    alone, _, _ = environment(tmp_path, "cupy-cuda12x", "nvidia-cublas-cu12==12.1.3.1")
    assert "libcublas==12.1.3.1" in alone.dependencies
    beside, text, notes = environment(tmp_path, "torch==2.4.0", "nvidia-cublas-cu12==12.1.3.1  # frozen")
    assert "libcublas==12.1.3.1" not in beside.dependencies
    assert beside.pip == ("torch==2.4.0",)
    assert (
        "# left out, torch brings the CUDA libraries that it was built for: nvidia-cublas-cu12==12.1.3.1: frozen"
        in text
    )
    assert "nvidia-cublas-cu12==12.1.3.1: left out" in notes


def test_a_line_that_is_not_for_linux_is_left_out(tmp_path: Path) -> None:
    spec, _, notes = environment(tmp_path, "six", "mkl; sys_platform == 'win32'", "tbb; sys_platform == 'linux'")
    assert "mkl" not in spec.dependencies
    assert "tbb" in spec.dependencies
    assert "not for Linux hosts" in notes


def test_comments_stay_beside_their_lines(tmp_path: Path) -> None:
    _, text, _ = environment(tmp_path, "# arrays", "numpy  # fast", "mkl  # for numpy")
    assert "      # arrays\n      - numpy  # fast\n" in text
    assert "  - mkl  # for numpy\n" in text


def test_nothing_but_system_libraries_needs_no_pip(tmp_path: Path) -> None:
    spec, _, _ = environment(tmp_path, "# only these", "mkl", "ffmpeg")
    assert spec.pip == ()
    assert spec.dependencies[1:] == ("mkl", "ffmpeg")


def test_a_requirements_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes(b"numpy\n# f\xfcr\n")
    with pytest.raises(BadFileError, match=r"requirements\.txt:2: byte 0xfc"):
        environment_from(tmp_path / "requirements.txt", "x")


def test_python_packages_become_lines_and_the_rest_comments(tmp_path: Path) -> None:
    text, notes = back(
        tmp_path,
        HEAD
        + "  # the interpreter\n"
        + "  - python=3.10\n"
        + "  - pytorch=2.4.*=*cuda*   # GPU\n"
        + '  - "scikit-learn >=1.4,<2"\n'
        + "  - pandas 2.1|2.2\n"
        + "  - cudatoolkit=11.8  # old\n"
        + "  - pip\n"
        + "  - pip:\n"
        + "    # from the index\n"
        + "    - transformers==4.44.0   # pinned\n",
    )
    assert text.splitlines()[2:] == [
        "# the interpreter",
        "# conda only: python=3.10",
        "torch==2.4.*  # GPU",
        "scikit-learn>=1.4,<2",
        "pandas",
        "# conda only: cudatoolkit=11.8  # old",
        "# from the index",
        "transformers==4.44.0  # pinned",
    ]
    assert "pytorch=2.4.*=*cuda*: the build is conda's" in notes
    assert "pandas 2.1|2.2: pip has no way to say these versions" in notes


def test_there_and_back_again_nothing_of_condas_is_lost(tmp_path: Path) -> None:
    first, _ = back(tmp_path, HEAD + "  - python=3.10\n  - cudatoolkit=11.8\n  - mkl <2024.1  # iJIT\n  - numpy=1.26\n")
    spec, text, _ = environment(tmp_path, *first.splitlines())
    assert spec.dependencies == ("python=3.10", "cudatoolkit=11.8", "mkl <2024.1", "pip")
    assert spec.pip == ("numpy==1.26.*",)
    assert "# iJIT" in text
    second, _ = back(tmp_path, text)
    again, _, _ = environment(tmp_path, *second.splitlines())
    assert again.dependencies == spec.dependencies
    assert again.pip == spec.pip


def test_flow_lists_and_files_without_dependencies_of_python_are_taken(tmp_path: Path) -> None:
    text, _ = back(tmp_path, "dependencies: [python=3.11, numpy, {pip: [six]}]  # all\nchannels: [conda-forge]\n")
    assert [one for one in text.splitlines() if one and not one.startswith("#")] == ["numpy", "six"]


@pytest.mark.parametrize(
    ("conda", "pip"),
    [
        ("numpy", "numpy"),
        ("numpy=1.26", "numpy==1.26.*"),
        ("numpy==1.26.4", "numpy==1.26.4"),
        ("numpy 1.26.*", "numpy==1.26.*"),
        ("numpy>=1.26,<2", "numpy>=1.26,<2"),
        ("numpy!=1.25.*", "numpy!=1.25.*"),
        ("numpy~=1.26", "numpy~=1.26"),
        ("numpy=*", "numpy"),
        ("numpy 1.25|1.26", None),
        ("numpy 2024a_b", None),
    ],
)
def test_versions_of_conda_as_pip_writes_them(conda: str, pip: str | None) -> None:
    assert to_pip("numpy", parse(conda)) == pip


@pytest.mark.parametrize(
    ("pip", "conda"),
    [
        ("", "mkl"),
        ("==2024.0", "mkl==2024.0"),
        ("==2024.*", "mkl 2024.*"),
        (">=2023,<2024.1", "mkl<2024.1,>=2023"),
        ("~=2024.0", "mkl~=2024.0"),
        ("===2024.0", "mkl==2024.0"),
        ("!=2024.0.*", "mkl!=2024.0.*"),
    ],
)
def test_versions_of_pip_as_conda_writes_them(pip: str, conda: str) -> None:
    text = to_conda("mkl", SpecifierSet(pip))
    assert text == conda
    parse(text)
