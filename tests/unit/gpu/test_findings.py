"""Findings from facts, each with its situation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provision.facts import parse
from provision.gpu.findings import AFTER_BUILD, judge
from provision.model.facts import Facts, Gpu, GpuFacts
from provision.model.host import Expect
from provision.model.plan import Severity
from tests.unit.facts.probe_text import probe_text

A10 = Gpu(index=0, uuid="GPU-1", name="NVIDIA A10", memory_mib=23028, persistence=True)
GOOD = GpuFacts(nvidia_smi=0, gpus=(A10,), driver="550.127.05", pci_devices=("10de:2236",))


def facts(gpu: GpuFacts) -> Facts:
    return replace(parse(probe_text("space|/dev/shm|9 4096 9 9 9999999")), gpu=gpu)


def codes(gpu: GpuFacts, expect: Expect | None = None) -> list[tuple[str, str]]:
    return [(one.code, one.severity.value) for one in judge(facts(gpu), expect or Expect())]


def test_a_gpu_as_expected_gives_no_finding() -> None:
    expect = Expect(gpus=1, model="a10", memory_gib=22, driver=">=550", cuda="12.4")

    assert codes(GOOD, expect) == []


def test_a_device_without_its_driver_is_missing() -> None:
    assert codes(GpuFacts(pci_devices=("10de:2236",))) == [("GPU-MISSING", "error")]


def test_no_gpu_at_all_is_missing_where_none_was_promised_for_later() -> None:
    assert codes(GpuFacts()) == [("GPU-MISSING", "error")]


@pytest.mark.parametrize("expect", [Expect(cuda="12.4"), Expect(gpus=1)])
def test_a_machine_booted_without_its_gpu_is_unproven_and_may_be_built(expect: Expect) -> None:
    (finding,) = judge(facts(GpuFacts(driver_installed="550.127.05")), expect)

    assert (finding.code, finding.severity) == ("GPU-UNPROVEN", Severity.ERROR)
    assert finding.code in AFTER_BUILD


def test_a_host_that_must_have_no_gpu_is_left_alone() -> None:
    assert codes(GpuFacts(), Expect(gpus=0)) == []
    assert codes(GOOD, Expect(gpus=0)) == [("GPU-COUNT", "error")]


def test_another_maker_is_recognised_and_not_proven() -> None:
    (finding,) = judge(facts(GpuFacts(amd="rocm-smi", pci_devices=("1002:74a1",))), Expect())

    assert finding.code == "GPU-MISSING"
    assert "AMD" in finding.message


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        (124, "GPU-HUNG"),
        (9, "GPU-DRIVER-NOT-LOADED"),
        (18, "GPU-DRIVER-MISMATCH"),
        (6, "GPU-MISSING"),
        (15, "GPU-READING-FAILED"),
        (255, "GPU-READING-FAILED"),
        (77, "GPU-READING-FAILED"),
    ],
)
def test_each_exit_code_has_its_finding(code: int, finding: str) -> None:
    assert codes(GpuFacts(nvidia_smi=code, pci_devices=("10de:2236",))) == [(finding, "error")]


def test_a_driver_exchanged_under_a_running_one_is_named_with_both_versions() -> None:
    apart = replace(GOOD, driver_loaded="535.161.07", driver_installed="535.183.01")
    (broken,) = judge(facts(replace(apart, nvidia_smi=18, gpus=())), Expect())
    (pending,) = judge(facts(apart), Expect())

    assert (broken.code, broken.severity, broken.fix) == (
        "GPU-DRIVER-MISMATCH",
        Severity.ERROR,
        "sudo reboot",
    )
    assert "535.161.07" in broken.message
    assert "535.183.01" in broken.message
    assert (pending.code, pending.severity) == ("GPU-DRIVER-MISMATCH", Severity.WARNING)


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        (Expect(gpus=2), "GPU-COUNT"),
        (Expect(model="A100"), "GPU-MODEL"),
        (Expect(memory_gib=24), "GPU-MEMORY"),
        (Expect(driver=">=560"), "GPU-DRIVER-OLD"),
        (Expect(cuda="13.0"), "GPU-DRIVER-OLD"),
    ],
)
def test_what_differs_from_the_order_is_an_error(expect: Expect, code: str) -> None:
    assert codes(GOOD, expect) == [(code, "error")]


def test_a_toolkit_that_runs_with_limits_is_a_warning() -> None:
    assert codes(GOOD, Expect(cuda="12.8")) == [("GPU-DRIVER-OLD", "warning")]


def test_a_failed_reading_makes_the_host_unfit_and_comes_first() -> None:
    broken = replace(A10, persistence=False, failures=("memory.total: ERR!",), memory_mib=None)

    found = codes(replace(GOOD, gpus=(broken,)), Expect(memory_gib=16))

    assert found == [("GPU-READING-FAILED", "error"), ("GPU-PERSISTENCE", "info")]


def test_a_small_shared_memory_is_a_warning() -> None:
    small = replace(parse(probe_text("space|/dev/shm|1 4096 1 1 16384")), gpu=GOOD)

    assert [one.code for one in judge(small, Expect())] == ["SHM-SMALL"]


def test_mig_without_devices_is_an_error_where_no_other_card_is_left() -> None:
    split = replace(GOOD, gpus=(replace(A10, mig=True),))
    (finding,) = judge(facts(split), Expect())

    assert (finding.code, finding.severity) == ("GPU-MIG", Severity.ERROR)
    assert (finding.fix or "").startswith("sudo nvidia-smi -i 0 -mig 0   (")
    beside = replace(split, gpus=(*split.gpus, replace(A10, index=1, uuid="GPU-2")))
    assert codes(beside) == [("GPU-MIG", "warning")]


def test_a_split_card_is_told_with_its_devices() -> None:
    split = replace(GOOD, gpus=(replace(A10, mig=True),))
    (one,) = judge(facts(replace(split, mig_devices=("MIG-1",))), Expect())
    (two,) = judge(facts(replace(split, mig_devices=("MIG-1", "MIG-2"))), Expect())

    assert (one.code, one.severity) == ("GPU-MIG", Severity.INFO)
    assert one.message == "1 GPU is split by MIG into 1 device (MIG-1)"
    assert two.message == "1 GPU is split by MIG into 2 devices (MIG-1, MIG-2); a process sees one of them"


REFUSED = ("memory.total: [Insufficient Permissions]", "memory.used: [Insufficient Permissions]")


def test_the_whole_card_may_stay_untold_to_who_rents_a_slice_of_it() -> None:
    card = replace(A10, mig=True, failures=REFUSED, memory_mib=None)
    slice_ = replace(GOOD, gpus=(card,), mig_devices=("MIG-1",))
    (told, split) = judge(facts(slice_), Expect(gpus=1))

    assert (told.code, told.severity) == ("GPU-READING-FAILED", Severity.WARNING)
    assert "--gpu-reset" not in (told.fix or "")
    assert (split.code, split.severity) == ("GPU-MIG", Severity.INFO)


@pytest.mark.parametrize(
    ("change", "expect"),
    [
        ({"mig": False}, Expect()),
        ({"failures": (*REFUSED, "temperature.gpu: ERR!")}, Expect()),
        ({}, Expect(memory_gib=20)),
    ],
)
def test_every_other_reading_that_fails_still_makes_the_host_unfit(change: dict[str, Any], expect: Expect) -> None:
    card = replace(replace(A10, mig=True, failures=REFUSED, memory_mib=None), **change)

    assert ("GPU-READING-FAILED", "error") in codes(replace(GOOD, gpus=(card,), mig_devices=("MIG-1",)), expect)


def test_a_refused_reading_of_a_whole_card_asks_for_rights_and_for_no_reset() -> None:
    (finding,) = judge(facts(replace(GOOD, gpus=(replace(A10, failures=REFUSED),))), Expect())

    assert finding.severity is Severity.ERROR
    assert "root" in (finding.fix or "")
    assert "--gpu-reset" not in (finding.fix or "")


@pytest.mark.parametrize(
    ("code", "message", "fix"),
    [
        (4, "Failed to initialize NVML: Insufficient Permissions", "sudo usermod -aG GROUP"),
        (8, None, "power cable"),
        (12, None, "docker run --gpus all ...   ("),
        (15, "Unable to determine the device handle for GPU 0000:0B:00.0: Unknown Error", "sudo reboot"),
        (255, "Failed to initialize NVML: Unknown Error", "docker restart CONTAINER   ("),
        (255, "Failed to initialize NVML: GPU access blocked by the operating system", "wsl --shutdown   ("),
        (255, None, "sudo reboot"),
        (77, None, "sudo reboot"),
    ],
)
def test_each_failure_of_nvidia_smi_has_its_own_way_out(code: int, message: str | None, fix: str) -> None:
    (finding,) = judge(facts(GpuFacts(nvidia_smi=code, message=message, pci_devices=("10de:2236",))), Expect())

    assert (finding.code, finding.severity) == ("GPU-READING-FAILED", Severity.ERROR)
    assert fix in (finding.fix or "")


def test_a_card_without_an_index_is_reset_by_its_bus_id() -> None:
    card = replace(A10, index=None, bus_id="00000000:19:00.0", failures=("memory.total: ERR!",))
    (finding,) = judge(facts(replace(GOOD, gpus=(card,))), Expect())

    assert finding.fix == "sudo nvidia-smi --gpu-reset -i 00000000:19:00.0"


def test_an_expected_gpu_without_a_cuda_says_that_the_environment_is_for_the_cpu() -> None:
    (alone,) = judge(facts(GpuFacts()), Expect(gpus=1))
    (full,) = judge(facts(GpuFacts()), Expect(gpus=1, cuda="12.4"))

    assert "built for the CPU" in alone.message
    assert 'expect: {gpus: 1, cuda: "12.4"}' in (alone.fix or "")
    assert "built for the CPU" not in full.message
    assert "`provision up`" in (full.fix or "")
    (missing,) = judge(facts(GpuFacts()), Expect())
    assert 'expect: {gpus: 1, cuda: "12.4"}' in (missing.fix or "")


def test_a_driver_that_is_too_old_has_one_answer() -> None:
    (finding,) = judge(facts(replace(GOOD, driver="418.67")), Expect(cuda="12.8"))

    assert finding.fix == "install driver 525.60.13 or newer, or choose an older `expect.cuda`"
    assert "525" not in finding.message


@pytest.mark.parametrize("code", [None, 0, 6, 9, 15, 18, 124, 255])
def test_every_error_says_what_to_do(code: int | None) -> None:
    for devices in [(), ("10de:2236",)]:
        for finding in judge(facts(GpuFacts(nvidia_smi=code, pci_devices=devices)), Expect(gpus=1)):
            assert finding.fix
