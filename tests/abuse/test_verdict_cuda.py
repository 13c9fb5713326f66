"""Environment files that work are not stopped before their build for a CUDA that they do not need."""

from __future__ import annotations

import pytest

from provision.environment.cuda_fit import cuda_findings
from provision.environment.cuda_wanted import cuda_wanted
from provision.environment.spec import EnvironmentSpec
from provision.model.facts import Gpu, GpuFacts
from provision.model.plan import Severity

CU118 = "--index-url https://download.pytorch.org/whl/cu118"


def stopped(driver: str, conda: tuple[str, ...] = ("python=3.11",), pip: tuple[str, ...] = ()) -> list[str]:
    """Return the errors on a host with an A100 and this driver."""
    card = Gpu(0, "GPU-0", "NVIDIA A100-SXM4-80GB", compute_capability="8.0", memory_mib=81920)
    wanted = cuda_wanted(EnvironmentSpec("m", ("conda-forge",), conda, pip))
    found = cuda_findings(wanted, GpuFacts(nvidia_smi=0, gpus=(card,), driver=driver))
    return [one.message for one in found if one.severity is Severity.ERROR]


@pytest.mark.parametrize(
    "marker", ['sys_platform == "darwin"', 'sys_platform == "win32"', 'platform_machine == "aarch64"']
)
def test_a_line_for_another_machine_is_not_asked_for(marker: str) -> None:
    """Requirements with a line for each system are common: on Linux pip leaves the others out."""
    lines = (f"torch==2.9.0 ; {marker}", 'torch==1.13.1 ; sys_platform == "linux" and platform_machine == "x86_64"')
    assert stopped("515.43.04", pip=lines) == []


@pytest.mark.parametrize("option", ["--index-url", "--extra-index-url"])
def test_the_index_of_cpu_builds_asks_for_no_cuda(option: str) -> None:
    """Such as a data step of a project with its own file; `+cpu` in the line is understood already."""
    assert stopped("470.82.01", pip=(f"{option} https://download.pytorch.org/whl/cpu", "torch==2.9.0")) == []


def test_an_index_that_does_not_have_the_version_leaves_it_to_pypi() -> None:
    """Index cu130 begins with torch 2.9: 2.5.1 comes from PyPI, for CUDA 12.4."""
    lines = ("--extra-index-url https://download.pytorch.org/whl/cu130", "torch==2.5.1")
    assert stopped("550.54.14", pip=lines) == []


@pytest.mark.parametrize("line", ["torch==2.1.0", "torch>=1.13,<2.9", "torch<2.12"])
def test_what_conda_installs_already_is_not_installed_again_by_pip(line: str) -> None:
    """pip runs last, and finds torch 2.1.0: `pytorch` of conda is `torch` to pip."""
    conda = ("python=3.10", "pytorch=2.1.0", "pytorch-cuda=11.8")
    assert stopped("470.82.01", conda, (line,)) == []


@pytest.mark.parametrize(
    ("python", "line"),
    [
        ("3.8", "torch<2.12"),  # pip takes 2.4.1, the last for Python 3.8, which is for CUDA 12.1
        ("3.9", "torch<2.12"),  # 2.8.0, the last for Python 3.9, for CUDA 12.8
        ("3.9", "torch==2.*"),
        ("3.8", "torch>=1.10,<=2.11"),
    ],
)
def test_what_the_environments_python_excludes_is_not_certain(python: str, line: str) -> None:
    assert stopped("550.54.14", (f"python={python}",), (line,)) == []


@pytest.mark.parametrize("line", ["nvidia-nccl-cu12==2.22.3", "nvidia-nccl-cu12", "nvidia-cuda-nvcc-cu12==12.4.131"])
def test_a_library_beside_the_framework_stops_no_build(line: str) -> None:
    """xgboost on Linux depends on nvidia-nccl-cu12, and trains on the CPU and on one GPU without it."""
    lines = ("--extra-index-url https://download.pytorch.org/whl/cu117", "torch==1.13.1+cu117", "xgboost", line)
    assert stopped("515.43.04", pip=lines) == []


@pytest.mark.parametrize("line", ["cuda-nvcc=12.4", "cuda-toolkit=12.4"])
def test_a_compiler_needs_no_driver(line: str) -> None:
    """It compiles on machines without any GPU; what it compiled may run elsewhere."""
    assert stopped("470.82.01", ("python=3.11", "pytorch-cuda=11.8", line)) == []


@pytest.mark.parametrize("package", ["cuda-compat", "cuda-compat-12-4"])
def test_forward_compatibility_that_the_file_brings_is_believed_on_a_data_centre_card(package: str) -> None:
    """cuda-compat is how clusters with a long-term driver run newer CUDA; an A100 may use it."""
    assert stopped("470.82.01", ("python=3.11", "cuda-version=12.4", package)) == []


def test_a_cuda_that_cannot_start_is_still_stopped() -> None:
    assert stopped("470.82.01", pip=("torch==2.5.1",))
    assert stopped("470.82.01", ("pytorch-cuda=12.1",))
    assert not stopped("470.82.01", pip=(CU118, "torch==2.1.2"))
