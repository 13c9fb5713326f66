"""An environment file fitted to another machine: what changes, to what, and why."""

from __future__ import annotations

import pytest

from provision.environment.export_file import Entry, Export
from provision.environment.migrate import Fitted, Target, fitted

OLD = Target("gpu-b", "x86_64", "12.2", "535.183.01", ("8.6",))
"""A card of 2021 with a driver that serves CUDA 12.2."""
NEW = Target("gpu-c", "x86_64", "13.0", "580.95.05", ("12.0",))
"""A card for which CUDA is compiled since 12.8."""
VOLTA = Target("gpu-v", "x86_64", "13.0", "580.95.05", ("7.0",))
"""A card that CUDA 13 has left out."""
CPU = Target("cpu-box", "x86_64", "none")
ARM = Target("arm-box", "aarch64", "none")


def file(*dependencies: str, pip: tuple[str, ...] = ()) -> Export:
    conda, of_pip = (tuple(Entry(one, one) for one in lines) for lines in (dependencies, pip))
    return Export("mymodel", (Entry("conda-forge", "conda-forge"),), conda, of_pip)


def conda(found: Fitted) -> list[str]:
    return [one.text for one in found.export.dependencies]


def pip(found: Fitted) -> list[str]:
    return [one.text for one in found.export.pip]


@pytest.mark.parametrize("target", [OLD, NEW, CPU])
def test_what_has_nothing_to_do_with_cuda_stays_word_for_word(target: Target) -> None:
    export = file("python=3.11", "numpy<2", "libcurl", pip=("rich", "--pre", "nvidia-ml-py"))
    found = fitted(export, target)
    assert found.export == export
    assert found.changes == ()
    assert found.doubts == ()


# -- a driver that serves less -------------------------------------------------------------------


def test_a_cuda_that_the_driver_does_not_serve_becomes_one_that_it_does_and_the_reason_names_the_driver() -> None:
    found = fitted(file("python=3.11", "cuda-version=12.6"), OLD)
    assert conda(found) == ["python=3.11", "cuda-version>=12.0,<12.3"]
    (change,) = found.changes
    assert (change.before, change.after) == ("cuda-version=12.6", "cuda-version>=12.0,<12.3")
    assert change.why == "gpu-b's driver 535.183.01 serves CUDA 12.2"
    assert found.export.dependencies[1].asked == "cuda-version=12.6"


@pytest.mark.parametrize("line", ["cuda-version=12.1", "cuda-version>=12", "cuda-version<13", "cuda-toolkit=11.8"])
def test_a_cuda_that_the_driver_serves_stays(line: str) -> None:
    assert conda(fitted(file(line), OLD)) == [line]


def test_a_build_for_a_cuda_becomes_a_build_for_any_that_the_file_admits() -> None:
    found = fitted(file("pytorch=2.6.0=cuda126_py311_200", "nvidia::pytorch-cuda=12.4"), OLD)
    assert conda(found) == [
        "pytorch=2.6.0=cuda*",
        "nvidia::pytorch-cuda>=12.0,<12.3",
        "cuda-version>=12.0,<12.3",
    ]
    assert [one.before for one in found.changes] == [
        "pytorch=2.6.0=cuda126_py311_200",
        "nvidia::pytorch-cuda=12.4",
        None,
    ]


def test_torch_moves_to_the_newest_index_that_has_its_version_with_what_stands_beside_it() -> None:
    lines = ("--extra-index-url https://download.pytorch.org/whl/cu126", "torch==2.6.0", "torchvision==0.21.0+cu126")
    found = fitted(file("python=3.11", pip=lines), OLD)
    # The index of CUDA 12.1 ends before 2.6: that of 11.8 has it.
    assert pip(found) == [
        "--extra-index-url https://download.pytorch.org/whl/cu118",
        "torch==2.6.0+cu118",
        "torchvision==0.21.0+cu118",
    ]
    assert all("535.183.01" in one.why for one in found.changes)
    assert found.doubts == ()


def test_a_torch_of_no_said_index_gets_one() -> None:
    found = fitted(file("python=3.11", pip=("torch==2.5.1",)), OLD)
    assert pip(found) == ["--extra-index-url https://download.pytorch.org/whl/cu121", "torch==2.5.1+cu121"]


def test_a_range_of_versions_gets_an_end_where_the_index_ends() -> None:
    found = fitted(file("python=3.11", pip=("torch>=2.4",)), OLD)
    assert pip(found) == ["--extra-index-url https://download.pytorch.org/whl/cu121", "torch>=2.4,<2.6"]


def test_a_torch_that_only_a_newer_index_has_stays_where_it_starts_with_limits() -> None:
    lines = ("--index-url https://download.pytorch.org/whl/cu126", "torch==2.9.1")
    assert pip(fitted(file("python=3.11", pip=lines), OLD)) == list(lines)


def test_a_mirror_of_the_index_stays_a_mirror() -> None:
    lines = ("--find-links https://mirrors.aliyun.com/pytorch-wheels/cu126/", "torch==2.7.0+cu126")
    found = fitted(file("python=3.11", pip=lines), OLD)
    assert pip(found) == ["--find-links https://mirrors.aliyun.com/pytorch-wheels/cu118/", "torch==2.7.0+cu118"]


def test_a_wheel_by_its_address_becomes_its_version_from_the_index() -> None:
    line = "torch @ https://download.pytorch.org/whl/cu126/torch-2.6.0%2Bcu126-cp311-cp311-linux_x86_64.whl"
    found = fitted(file("python=3.11", pip=(line,)), OLD)
    assert pip(found) == ["--extra-index-url https://download.pytorch.org/whl/cu118", "torch==2.6.0+cu118"]


def test_names_for_a_major_version_become_those_of_the_major_version_there() -> None:
    lines = ("cupy-cuda13x>=13.6", "nvidia-cublas-cu13==13.0.2", "jax[cuda13]>=0.8")
    found = fitted(file("python=3.11", pip=lines), OLD)
    assert pip(found) == ["cupy-cuda12x>=13.6", "nvidia-cublas-cu12", "jax[cuda12]>=0.8"]


# -- other cards ---------------------------------------------------------------------------------


def test_a_cuda_that_does_not_know_the_card_yet_becomes_one_that_does() -> None:
    found = fitted(file("cuda-version=12.4"), NEW)
    assert conda(found) == ["cuda-version>=13.0,<13.1"]
    assert found.changes[0].why == "gpu-c's GPU, of compute capability 12.0, needs CUDA 12.8 or newer"


def test_a_cuda_that_has_left_the_card_out_becomes_an_older_one() -> None:
    found = fitted(file("cuda-version=13.0", pip=("cupy-cuda13x",)), VOLTA)
    assert conda(found) == ["cuda-version>=12.0,<12.10"]
    assert pip(found) == ["cupy-cuda12x"]
    assert "has its last in CUDA 12.9" in found.changes[0].why


def test_torch_goes_to_an_index_with_code_for_the_card() -> None:
    lines = ("--extra-index-url https://download.pytorch.org/whl/cu126", "torch==2.9.1")
    found = fitted(file("python=3.11", pip=lines), NEW)
    assert pip(found) == ["--extra-index-url https://download.pytorch.org/whl/cu130", "torch==2.9.1+cu130"]
    old = ("--extra-index-url https://download.pytorch.org/whl/cu121", "torch==2.4.1", "torchvision==0.19.1")
    moved = fitted(file("python=3.11", pip=old), NEW)
    assert pip(moved)[1:] == ["torch>=2.9", "torchvision"]
    assert "has torch 2.4.1" in moved.changes[1].why


# -- no GPU --------------------------------------------------------------------------------------


def test_without_a_gpu_what_is_cuda_alone_goes_and_builds_become_those_for_the_cpu() -> None:
    found = fitted(
        file(
            *("python=3.11", "__cuda>=12", "cuda-version=12.6", "cudnn", "cuda-nvcc=12.6", "libcublas-dev", "libcurl"),
            *("pytorch=2.6.0=cuda126*", "pytorch-gpu>=2", "pytorch::pytorch-cuda=12.4", "faiss=1.9=cuda118_0"),
        ),
        CPU,
    )
    assert conda(found) == [
        *("python=3.11", "libcurl", "pytorch=2.6.0=*cpu*", "pytorch-cpu>=2", "cpuonly", "faiss=1.9=*"),
    ]
    assert all("cpu-box has no NVIDIA GPU" in one.why for one in found.changes)


def test_without_a_gpu_torch_comes_from_the_index_for_the_cpu() -> None:
    lines = (
        *("--index-url https://download.pytorch.org/whl/cu126", "torch==2.6.0", "torchvision==0.21.0+cu126"),
        *("nvidia-cublas-cu12", "cupy-cuda12x", "jax[cuda12,k8s]"),
    )
    found = fitted(file("python=3.11", pip=lines), CPU)
    assert pip(found) == [
        *("--index-url https://download.pytorch.org/whl/cpu", "torch==2.6.0+cpu", "torchvision==0.21.0+cpu"),
        "jax[k8s]",
    ]
    unsaid = fitted(file("python=3.11", pip=("torch>=2.5",)), CPU)
    assert pip(unsaid) == ["--extra-index-url https://download.pytorch.org/whl/cpu", "torch>=2.5"]


def test_what_is_for_the_cpu_already_stays() -> None:
    lines = ("--extra-index-url https://download.pytorch.org/whl/cpu", "torch==2.6.0+cpu")
    assert fitted(file("python=3.11", "pytorch=2.6.0=cpu*", pip=lines), CPU).changes == ()


def test_on_another_processor_what_is_intels_alone_goes() -> None:
    found = fitted(file("python=3.11", "mkl", "numpy", pip=("torch==2.6.0+cu126",)), ARM)
    assert conda(found) == ["python=3.11", "numpy"]
    assert pip(found) == ["--extra-index-url https://download.pytorch.org/whl/cpu", "torch==2.6.0"]


# -- what is not known ---------------------------------------------------------------------------


def test_a_machine_that_shows_no_gpu_yet_is_taken_at_what_is_expected_of_it() -> None:
    found = fitted(file("cuda-version=12.6"), Target("ordered", "x86_64", "12.4"))
    assert conda(found) == ["cuda-version>=12.0,<12.5"]
    assert found.changes[0].why == "ordered is expected to serve CUDA 12.4"


def test_what_nothing_known_goes_with_is_left_and_told() -> None:
    ancient = Target("museum", "x86_64", "9.2", "396.54", ("3.5",))
    found = fitted(file("cuda-version=12.6"), ancient)
    assert conda(found) == ["cuda-version=12.6"]
    assert "driver 396.54 serves CUDA below 11.0" in found.doubts[0]
