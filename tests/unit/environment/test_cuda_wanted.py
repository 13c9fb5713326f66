"""Which CUDA an environment file needs, and whether a host's driver and cards go with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from provision.environment.cuda_fit import cuda_findings
from provision.environment.cuda_wanted import cuda_wanted
from provision.environment.spec import EnvironmentSpec
from provision.model.facts import Gpu, GpuFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.model.plan import Finding


def spec(*conda: str, pip: Sequence[str] = ()) -> EnvironmentSpec:
    return EnvironmentSpec("mymodel", ("conda-forge",), conda, tuple(pip))


def host(driver: str | None, *capabilities: str) -> GpuFacts:
    cards = tuple(
        Gpu(number, f"GPU-{number}", "card", compute_capability=one) for number, one in enumerate(capabilities)
    )
    return GpuFacts(nvidia_smi=0, gpus=cards, driver=driver)


def judged(wanted: EnvironmentSpec, gpu: GpuFacts) -> list[Finding]:
    return list(cuda_findings(cuda_wanted(wanted), gpu))


def codes(wanted: EnvironmentSpec, gpu: GpuFacts) -> list[tuple[str, str]]:
    return [(one.code, one.severity.value) for one in judged(wanted, gpu)]


@pytest.mark.parametrize(
    ("line", "newest", "oldest"),
    [
        ("cuda-version=12.4", "12.4", "12.4"),
        ("cuda-version 12.*", "12.9", "12.0"),
        ("cuda-version>=12.6", "13.2", "12.6"),
        ("conda-forge::cuda-version<=11.8", "11.8", "11.0"),
        ("pytorch-cuda=12.1", "12.1", "12.1"),
        ("cudatoolkit=11.8", "11.8", "11.8"),
        ("cuda-nvcc=12.4.131", "12.4", "12.4"),
        ("pytorch=2.5=py3.12_cuda12.4_cudnn9.1.0_0", "12.4", "12.4"),
        ("pytorch=2.7[build='cuda126*']", "12.6", "12.6"),
    ],
)
def test_a_conda_line_names_the_toolkits_that_meet_it(line: str, newest: str, oldest: str) -> None:
    (demand,) = cuda_wanted(spec("python", line))
    assert (demand.toolkits[0], demand.toolkits[-1], demand.pip) == (newest, oldest, False)


@pytest.mark.parametrize(
    ("lines", "cuda", "certain"),
    [
        (["torch==2.5.1+cu124"], "12.4", True),
        (["--index-url https://download.example/whl/cu121", "torch==2.4.0", "torchvision"], "12.1", True),
        (["--find-links=https://mirror.example/pytorch-wheels/cu118/", "torch"], "11.8", True),
        (["torch==2.5.1"], "12.4", True),
        (["torch==2.9.*"], "12.8", False),
        (["torch>=2.0,<2.5"], "12.1", False),
        (["torch>=2.0"], "13.0", False),
        (["torch"], "13.0", False),
        (["jax[cuda12]==0.4.35"], "12.9", True),
        (["jax[cuda13]"], "13.2", True),
        (["cupy-cuda11x"], "11.8", True),
        (["nvidia-cuda-runtime-cu12==12.4.127"], "12.4", True),
        (["nvidia-cublas-cu12"], "12.9", True),
        (["https://download.example/whl/cu124/torch-2.5.1%2Bcu124-cp312-cp312-linux_x86_64.whl"], "12.4", True),
    ],
)
def test_a_pip_line_names_the_cuda_that_its_wheels_are_built_with(lines: list[str], cuda: str, certain: bool) -> None:
    (demand,) = cuda_wanted(spec("python", "pip", pip=lines))
    assert (demand.toolkits[0], demand.certain, demand.pip) == (cuda, certain, True)


@pytest.mark.parametrize(
    ("python", "line", "cuda", "certain"),
    [
        ("python=3.11", "torch==2.9.*", "12.8", True),
        ("python=3.11", "torch>=2.0,<2.5", "12.1", True),
        ("python=3.9", "torch", "12.8", True),
        ("python=3.8", "torch>=2.0", "12.1", True),
        ("python=3.8.19", "torch<2.12", "12.1", True),
        ("python>=3.8,<3.11", "torch<2.12", "13.0", False),
        ("python>=3.10", "torch<2.12", "13.0", True),
        ("python=3.12", "torch==2.12.*", "13.0", True),
        ("python=3.12", "torch>=2.12,<3", "13.0", False),
        ("python=3.8", "torch==2.9.1", "12.8", False),
        ("python=3.9", "torch==2.9.*", "12.8", False),
        ("python=2.7", "torch<2.12", "13.0", False),
    ],
)
def test_pip_takes_the_newest_torch_that_the_environments_python_allows(
    python: str, line: str, cuda: str, certain: bool
) -> None:
    (demand,) = cuda_wanted(spec(python, "pip", pip=[line]))
    assert (demand.toolkits, demand.certain) == ((cuda,), certain)


@pytest.mark.parametrize(
    ("marker", "python", "architecture", "certain"),
    [
        ('sys_platform == "darwin"', "python", None, []),
        ('sys_platform == "win32"', "python", "x86_64", []),
        ('sys_platform == "linux"', "python", None, [True]),
        ('platform_system == "Linux" and os_name == "posix"', "python", None, [True]),
        ('platform_machine == "aarch64"', "python", None, [False]),
        ('platform_machine == "aarch64"', "python", "x86_64", []),
        ('platform_machine == "x86_64"', "python", "x86_64", [True]),
        ('python_version < "3.10"', "python=3.12", None, []),
        ('python_version >= "3.10"', "python=3.12", None, [True]),
        ('python_version >= "3.10"', "python", None, [False]),
        ('python_full_version < "3.9.2"', "python=3.9", None, [False]),
    ],
)
def test_a_marker_decides_whether_the_line_counts_here(
    marker: str, python: str, architecture: str | None, certain: list[bool]
) -> None:
    found = cuda_wanted(spec(python, pip=[f"torch==2.9.0 ; {marker}"]), architecture)
    assert [one.certain for one in found] == certain


@pytest.mark.parametrize(
    ("conda", "line", "tags"),
    [
        ("pytorch=2.1.0", "torch==2.1.0", []),
        ("pytorch", "torch", []),
        ("pytorch-gpu>=2.1", "torch<2.9", []),
        ("pytorch=1.10.2", "torch<2.0", []),
        ("pytorch=2.1.0", "torch==2.5.1", ["cu124"]),
        ("pytorch=2.1.0", "torch==2.1.0+cu118", ["cu118"]),
        ("numpy", "torch==2.1.0", ["cu121"]),
    ],
)
def test_a_torch_of_conda_that_will_do_is_left_alone_by_pip(conda: str, line: str, tags: list[str]) -> None:
    assert [one.tag for one in cuda_wanted(spec("python=3.10", conda, pip=[line]))] == tags


@pytest.mark.parametrize(("line", "certain"), [("torch==2.5.1", False), ("torch==2.5.1+cu124", True)])
@pytest.mark.parametrize("conda", ["torchvision", "pytorch-cuda=12.4"])
def test_beside_what_may_bring_a_torch_only_a_named_build_is_certain(conda: str, line: str, certain: bool) -> None:
    *_, demand = cuda_wanted(spec("python=3.11", conda, pip=[line]))
    assert (demand.text, demand.certain) == (line, certain)


@pytest.mark.parametrize(
    ("lines", "tags"),
    [
        (["--index-url https://download.pytorch.org/whl/cpu", "torch==2.9.0"], []),
        (["--extra-index-url https://download.pytorch.org/whl/rocm6.2", "torch==2.5.1"], []),
        (["--extra-index-url https://download.pytorch.org/whl/cpu", "torch==2.5.1+cu124"], ["cu124"]),
        (["--extra-index-url https://download.pytorch.org/whl/cu124", "torch==2.5.1+cpu"], []),
        (["torch==2.5.1+rocm6.2"], []),
        (["--extra-index-url https://mirror.example/cpu-tools/simple", "torch==2.5.1"], ["cu124"]),
    ],
)
def test_a_build_for_something_else_needs_no_cuda(lines: list[str], tags: list[str]) -> None:
    assert [one.tag for one in cuda_wanted(spec("python=3.11", pip=lines))] == tags


def test_the_wheels_of_pypi_are_not_judged_on_an_architecture_that_the_table_does_not_know() -> None:
    assert cuda_wanted(spec("python=3.11", pip=["torch==2.5.1"]), "aarch64") == ()


@pytest.mark.parametrize(
    ("conda", "severity"), [("cuda-compat", "warning"), ("cuda-compat-13-0", "warning"), ("numpy", "error")]
)
def test_forward_compatibility_counts_on_data_centre_cards_alone(conda: str, severity: str) -> None:
    wanted = spec("cuda-version=13.0", conda)
    a100 = GpuFacts(0, gpus=(Gpu(0, "GPU-0", "NVIDIA A100-SXM4-80GB", compute_capability="8.0"),), driver="550.54.14")
    desk = GpuFacts(0, gpus=(Gpu(0, "GPU-0", "NVIDIA RTX A4000", compute_capability="8.6"),), driver="550.54.14")
    assert [one.severity.value for one in judged(wanted, a100)] == [severity]
    assert codes(wanted, desk) == [("CUDA-TOO-NEW", "error")]


@pytest.mark.parametrize(
    ("lines", "certain"),
    [
        (["nvidia-nccl-cu12"], [False]),
        (["nvidia-cuda-nvcc-cu12==12.4.131"], [False]),
        (["cuda-toolkit==12.4.1"], [False]),
        (["torch==2.5.1", "nvidia-cublas-cu12"], [True, False]),
        (["torch==2.5.1", "cupy-cuda12x"], [True, True]),
    ],
)
def test_a_library_that_nothing_needs_to_start_is_a_doubt_at_most(lines: list[str], certain: list[bool]) -> None:
    assert [one.certain for one in cuda_wanted(spec("python=3.11", pip=lines))] == certain


@pytest.mark.parametrize(
    "wanted",
    [
        spec("python=3.12", "numpy", "pytorch"),
        spec("cuda-version", "pytorch=2.5=cpu_generic*"),
        spec("pip", pip=["torch==2.5.1+cpu", "numpy", "-e ."]),
        spec("pip", pip=["torch==9.9.9"]),
        spec("cuda-version=99.1"),
    ],
)
def test_lines_that_name_no_cuda_we_know_demand_nothing(wanted: EnvironmentSpec) -> None:
    assert cuda_wanted(wanted) == ()


def test_what_the_driver_serves_gives_no_finding() -> None:
    assert codes(spec("cuda-version=12.4"), host("550.54.14", "8.0")) == []
    assert codes(spec("cuda-version>=12"), host("550.54.14", "8.0")) == []
    assert codes(spec("cuda-version=13.0"), host(None)) == []


def test_a_cuda_of_a_newer_major_version_stops_the_build_and_names_the_nearest_pin() -> None:
    (finding,) = judged(spec("cuda-version=13.0"), host("550.54.14", "8.0"))
    assert (finding.code, finding.severity.value) == ("CUDA-TOO-NEW", "error")
    assert "cuda-version=13.0 needs CUDA 13.0" in finding.message
    assert "driver 550.54.14 serves CUDA 12.4 at most" in finding.message
    assert finding.fix == "write `cuda-version=12.4` in environment.yml   (or install driver 580.65.06 or newer)"


def test_a_newer_cuda_of_the_same_major_version_starts_with_limits() -> None:
    (finding,) = judged(spec("cuda-version=12.8"), host("550.54.14", "9.0"))
    assert (finding.code, finding.severity.value) == ("CUDA-LIMITED", "warning")
    assert finding.fix == "write `cuda-version=12.4` in environment.yml   (or install driver 570.26 or newer)"


def test_an_open_end_that_takes_what_is_newest_today_is_only_a_warning() -> None:
    (finding,) = judged(spec("pip", pip=["torch"]), host("550.54.14", "8.0"))
    assert (finding.code, finding.severity.value) == ("CUDA-TOO-NEW", "warning")
    assert "torch 2.12 from PyPI" in finding.message
    assert "downloaded in vain" in finding.message
    assert "write `torch>=2.4,<2.7` and `--extra-index-url https://download.pytorch.org/whl/cu124`" in (
        finding.fix or ""
    )


def test_a_card_that_the_cuda_dropped_names_the_last_one_that_knew_it() -> None:
    (finding,) = judged(spec("cuda-version=13.0"), host("580.65.06", "7.0"))
    assert (finding.code, finding.severity.value) == ("CUDA-ARCH", "error")
    assert "no longer supports compute capability 7.0 (the last is 12.9)" in finding.message
    assert finding.fix == "write `cuda-version=12.9` in environment.yml"


def test_a_card_that_the_cuda_does_not_know_yet_is_sure_only_where_no_ptx_can_help() -> None:
    blackwell = host("570.86.10", "12.0")
    (conda,) = judged(spec("cuda-version=12.4"), blackwell)
    assert (conda.code, conda.severity.value) == ("CUDA-ARCH", "warning")
    (wheel,) = judged(spec("pip", pip=["torch==2.5.1+cu124"]), blackwell)
    assert (wheel.code, wheel.severity.value) == ("CUDA-ARCH", "error")
    assert "does not know compute capability 12.0 yet (the first is 12.8)" in wheel.message
    assert "whl/cu128" in (wheel.fix or "")


def test_a_wheel_without_code_for_the_card_names_the_index_that_has_it() -> None:
    pascal = host("580.95.05", "6.0")
    (finding,) = judged(spec("pip", pip=["torch==2.9.1"]), pascal)
    assert (finding.code, finding.severity.value) == ("WHEEL-NO-ARCH", "error")
    assert "no kernel image" in finding.message
    assert "whl/cu126" in (finding.fix or "")


def test_code_of_the_same_major_capability_runs_on_a_later_card() -> None:
    assert codes(spec("pip", pip=["torch==2.9.1"]), host("580.95.05", "8.9", "10.3", "12.1")) == []
    assert codes(spec("cuda-version=11.0"), host("580.95.05", "8.9")) == []


def test_a_card_without_machine_code_is_served_by_the_ptx_that_the_wheel_carries() -> None:
    wanted = spec("pip", pip=["torch==2.9.1+cu130"])
    assert codes(wanted, host("580.95.05", "13.0")) == [("WHEEL-PTX-ONLY", "warning")]


@pytest.mark.parametrize(
    ("driver", "card", "line", "says"),
    [
        ("470.82.01", "8.0", "torch==2.5.1", "write `torch==2.5.1+cu118` and `--extra-index-url https://"),
        ("470.82.01", "8.0", "torch==2.9.1", "write `torch>=2.0,<2.8` and "),
        ("550.54.14", "8.0", "torch==2.12.0", "write `torch==2.12.0+cu126` and "),
        ("550.54.14", "8.0", "torch==2.9.1", "no index of PyTorch that this driver serves in full has torch 2.9.1"),
        ("570.86.10", "12.0", "torch==2.5.1+cu124", "no index of PyTorch that fits this host has torch 2.5.1"),
        ("525.60.13", "8.0", "torch>=2.11", "write `torch>=2.11,<2.12` and "),
    ],
)
def test_the_fix_names_an_index_that_has_the_wanted_torch(driver: str, card: str, line: str, says: str) -> None:
    found = judged(spec("pip", pip=[line]), host(driver, card))
    assert says in (found[0].fix or "")


@pytest.mark.parametrize("line", ["torch", "torch==2.12.0", "torch==2.9.1", "torch>=2.1,<2.9"])
@pytest.mark.parametrize("driver", ["470.82.01", "535.129.03", "550.54.14"])
def test_what_the_fix_says_starts_there(line: str, driver: str) -> None:
    for finding in judged(spec("pip", pip=[line]), host(driver, "8.0")):
        wanted, option = re.findall("`([^`]+)`", finding.fix or "")[:2]
        again = judged(spec("pip", pip=[option, wanted]), host(driver, "8.0"))
        assert [one.code for one in again if one.code != "CUDA-LIMITED"] == []


def test_an_index_beside_pypi_does_not_hold_back_a_newer_torch() -> None:
    extra = "--extra-index-url https://download.pytorch.org/whl/cu124"
    assert codes(spec("pip", pip=[extra, "torch"]), host("550.54.14", "8.0")) == [("CUDA-TOO-NEW", "warning")]
    assert codes(spec("pip", pip=[extra, "torch<2.7"]), host("550.54.14", "8.0")) == []


def test_a_card_that_no_cuda_of_the_driver_serves_gets_one_answer_for_driver_and_index() -> None:
    found = judged(spec("pip", pip=["torch"]), host("418.67", "6.0"))
    assert len({one.fix for one in found}) == 1
    assert (found[0].fix or "").startswith("install driver 525.60.13 or newer, and write `torch>=2.6` and ")
    (newer,) = judged(spec("pip", pip=["torch"]), host("418.67", "8.0"))
    assert newer.fix == "install driver 580.65.06 or newer"
