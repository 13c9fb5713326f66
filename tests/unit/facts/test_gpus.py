"""What nvidia-smi printed becomes GPUs, and fails closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.facts import parse
from tests.unit.facts.probe_text import probe_text

if TYPE_CHECKING:
    from provision.model.facts import GpuFacts

FIELDS = "gpu.fields|index,name,uuid,driver_version,memory.total,mig.mode.current,temperature.gpu"
ROW = "0, NVIDIA A10, GPU-51ae0086-e1ac-4a20, 550.127.05, 23028, Disabled, 33"


def gpu_facts(*lines: str) -> GpuFacts:
    return parse(probe_text("gpu.smi|present", *lines)).gpu


def queried(row: str, code: int = 0) -> GpuFacts:
    return gpu_facts(FIELDS, f"gpu.query|{row}", "gpu.query|", f"gpu.query|exit={code}")


def test_a_row_becomes_a_gpu() -> None:
    facts = queried(ROW)

    (gpu,) = facts.gpus
    assert (facts.nvidia_smi, facts.driver, facts.message) == (0, "550.127.05", None)
    assert (gpu.index, gpu.name, gpu.uuid, gpu.memory_mib, gpu.mig) == (
        0,
        "NVIDIA A10",
        "GPU-51ae0086-e1ac-4a20",
        23028,
        False,
    )
    assert gpu.readings == (("temperature.gpu", "33"),)
    assert gpu.failures == ()


@pytest.mark.parametrize(
    "null",
    ["[N/A]", "N/A", "None", "[Not Supported]", "Not Supported", "[Requested functionality has been deprecated]"],
)
def test_a_reading_that_does_not_apply_is_absent(null: str) -> None:
    (gpu,) = queried(ROW.replace("23028", null).replace("NVIDIA A10", "NVIDIA GB10")).gpus

    assert gpu.memory_mib is None
    assert gpu.failures == ()


@pytest.mark.parametrize("name", ["NVIDIA A10", "NVIDIA GB100", "NVIDIA GB200", "NVIDIA GH200 480GB"])
def test_a_card_with_memory_of_its_own_must_tell_it(name: str) -> None:
    (gpu,) = queried(ROW.replace("23028", "[N/A]").replace("NVIDIA A10", name)).gpus

    assert gpu.failures == ("memory.total: [N/A]",)


@pytest.mark.parametrize("name", ["NVIDIA GB10", "NVIDIA Thor", "Orin (nvgpu)", "NVIDIA Jetson AGX Orin"])
def test_a_gpu_that_shares_the_machines_memory_need_not_tell_any(name: str) -> None:
    (gpu,) = queried(ROW.replace("23028", "[N/A]").replace("NVIDIA A10", name)).gpus

    assert gpu.failures == ()


@pytest.mark.parametrize(
    "failure",
    [
        "[Unknown Error]",
        "[Insufficient Permissions]",
        "[GPU requires reset]",
        "ERR!",
        "[GPU is lost]",
        "-1",
        "1e9",
        "NaN",
    ],
)
def test_a_reading_that_failed_is_a_failure(failure: str) -> None:
    (gpu,) = queried(ROW.replace("23028", failure)).gpus

    assert gpu.memory_mib is None
    assert gpu.failures == (f"memory.total: {failure}",)


@pytest.mark.parametrize(
    "failure",
    [
        "[Unknown Error]",
        "[GPU requires reset]",
        "ERR!",
        "[Insufficient Permissions]",
        "[In use by another client]",
        "[Insufficient External Power]",
        "[]",
    ],
)
def test_a_health_reading_that_failed_is_a_failure(failure: str) -> None:
    (gpu,) = queried(ROW.replace(", 33", f", {failure}")).gpus

    assert gpu.failures == (f"temperature.gpu: {failure}",)


@pytest.mark.parametrize("row", ["x", ROW + ", more", "0, NVIDIA, A10", "\x1b[2J"])
def test_a_row_of_another_width_is_a_gpu_that_cannot_be_read(row: str) -> None:
    (gpu,) = queried(row).gpus

    assert gpu.index is None
    assert gpu.failures == (f"row: {row}",)


@pytest.mark.parametrize(
    "noise",
    [
        "[HAMI-core Msg(571:140025334466368:libvgpu.c:836)]: Initializing.....",
        "[HAMI-core Info(80:140225570006848:device.c:102)]: driver version=12040",
        "[4pdvGPU Msg(55:140069578569536:libvgpu.c:823)]: Initialized",
        "WARNING: infoROM is corrupted at gpu 0000:B3:00.0",
    ],
)
def test_a_line_that_is_no_row_is_no_gpu(noise: str) -> None:
    facts = gpu_facts(FIELDS, f"gpu.query|{noise}", f"gpu.query|{ROW}", f"gpu.query|{noise}", "gpu.query|exit=0")

    assert [(gpu.index, gpu.failures) for gpu in facts.gpus] == [(0, ())]


@pytest.mark.parametrize("line", ["[HAMI-core] 0, NVIDIA A10", "[x(1)]: y", "Warning: infoROM", "WARNING: GPU is lost"])
def test_a_line_nobody_knows_is_a_gpu_that_cannot_be_read(line: str) -> None:
    facts = gpu_facts(FIELDS, f"gpu.query|{ROW}", f"gpu.query|{line}", "gpu.query|exit=0")

    assert [gpu.failures for gpu in facts.gpus] == [(), (f"row: {line}",)]


@pytest.mark.parametrize("code", [2, 3, 4, 6, 8, 9, 10, 12, 13, 15, 18, 255])
def test_an_exit_code_in_error_gives_no_gpus_and_its_message(code: int) -> None:
    facts = queried("Something went wrong", code)

    assert (facts.nvidia_smi, facts.gpus, facts.message) == (code, (), "Something went wrong")


def test_a_corrupt_inforom_still_gives_its_data() -> None:
    facts = queried(ROW, 14)

    assert facts.nvidia_smi == 14
    assert [gpu.name for gpu in facts.gpus] == ["NVIDIA A10"]


def test_a_corrupt_inforom_that_only_the_bare_call_tells_is_told() -> None:
    facts = gpu_facts(
        FIELDS, f"gpu.query|{ROW}", "gpu.query|exit=0", "gpu.header|Driver Version: 550.127.05", "gpu.header|exit=14"
    )

    assert (facts.nvidia_smi, facts.message, len(facts.gpus)) == (14, None, 1)


@pytest.mark.parametrize("query", [9, 15, 255])
def test_a_failed_query_counts_more_than_a_corrupt_inforom(query: int) -> None:
    assert gpu_facts(f"gpu.query|exit={query}", "gpu.header|exit=14").nvidia_smi == query


@pytest.mark.parametrize("lines", [["gpu.query|exit=124"], ["gpu.query|exit=137"], []])
def test_a_query_that_was_ended_or_never_answered_is_a_hang(lines: list[str]) -> None:
    assert gpu_facts(*lines).nvidia_smi == 124


def test_a_flood_that_was_cut_has_no_exit_code_and_is_a_failure() -> None:
    facts = gpu_facts(FIELDS, f"gpu.query|{ROW}", "gpu.query|0, NVID")

    assert (facts.nvidia_smi, facts.gpus) == (255, ())


def test_a_host_without_nvidia_smi_has_no_exit_code() -> None:
    assert parse(probe_text("gpu.smi|absent")).gpu.nvidia_smi is None


@pytest.mark.parametrize(
    ("line", "driver", "cuda"),
    [
        (
            "| NVIDIA-SMI 550.127.05    Driver Version: 550.127.05     CUDA Version: 12.4     |",
            "550.127.05",
            "12.4",
        ),
        (
            "| NVIDIA-SMI 610.43.02    KMD Version: 610.43.02     CUDA UMD Version: 13.3     |",
            "610.43.02",
            "13.3",
        ),
        ("| NVIDIA-SMI 450.66    Driver Version: 418.67    CUDA Version: N/A     |", "418.67", None),
        (
            "| NVIDIA-SMI 580.105.06   Driver Version: 580.105.06   CUDA Version: Not Found |",
            "580.105.06",
            None,
        ),
        ("| NVIDIA-SMI 580.105.06   Driver Version: 580.105.06   CUDA Version: ERR! |", "580.105.06", None),
    ],
)
def test_driver_and_cuda_are_read_from_the_header(line: str, driver: str, cuda: str | None) -> None:
    facts = gpu_facts(f"gpu.header|{line}", "gpu.header|exit=0")

    assert (facts.driver, facts.cuda) == (driver, cuda)


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("550.54.14", "550.54.14"),
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.07  Sat Feb 17 22:55:48 UTC 2024",
            "535.161.07",
        ),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build", "580.65.06"),
        ("nonsense", None),
    ],
)
def test_the_loaded_module_has_a_version(line: str, version: str | None) -> None:
    assert gpu_facts(f"gpu.loaded|{line}").driver_loaded == version


def test_a_process_may_have_commas_in_its_name() -> None:
    facts = gpu_facts("gpu.apps|GPU-51ae0086, 42, python -c a,b, 596", "gpu.apps|x, y", "gpu.apps|exit=0")

    assert [(one.pid, one.name, one.memory_mib) for one in facts.processes] == [(42, "python -c a, b", 596)]


def test_other_makers_are_named() -> None:
    facts = parse(
        probe_text("gpu.amd|rocm-smi", "gpu.amd|kfd", "gpu.ascend|Total Count : 8", "pci|1002:74a1 120000 0")
    ).gpu

    assert (facts.amd, facts.ascend, facts.pci_devices) == (
        "rocm-smi, kfd",
        "Total Count : 8",
        ("1002:74a1",),
    )
