"""AMD and Ascend beside NVIDIA, and on their own: who is judged, and by which rules."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from provision.facts import parse
from provision.gpu.findings import judge
from provision.model.facts import Facts, Gpu, GpuFacts, GpuProcess, OtherVendor
from provision.model.host import Expect
from provision.model.plan import Severity
from tests.unit.facts.probe_text import probe_text
from tests.unit.gpu.recorded_vendors import GOLDEN, probed

A10 = Gpu(index=0, uuid="GPU-1", name="NVIDIA A10", memory_mib=23028, persistence=True)
MI300X = Gpu(index=0, uuid="amd-1", name="AMD Instinct MI300X", memory_mib=196592, vendor="amd")
NPU = Gpu(index=0, uuid="npu-0-chip-0", name="Ascend 910B3", memory_mib=65536, vendor="ascend")
AMD = OtherVendor("amd", "amd-smi", code=0, driver="6.16.13", loaded=True, node=True, devices=("1002:74a1",))
ASCEND = OtherVendor("ascend", "npu-smi", code=0, driver="24.1.rc1", loaded=True, node=True, devices=("19e5:d802",))
INTEGRATED = OtherVendor("amd", "amd-smi", code=0, loaded=True, node=True, integrated=("AMD Radeon Graphics",))
NVIDIA = GpuFacts(nvidia_smi=0, gpus=(A10,), driver="550.127.05", pci_devices=("10de:2236",))


def facts(gpu: GpuFacts, *lines: str) -> Facts:
    return replace(parse(probe_text("space|/dev/shm|9 4096 9 9 9999999", *lines)), gpu=gpu)


def codes(gpu: GpuFacts, expect: Expect | None = None) -> list[tuple[str, str]]:
    return [(one.code, one.severity.value) for one in judge(facts(gpu), expect or Expect())]


@pytest.mark.parametrize(("card", "vendor"), [(MI300X, AMD), (NPU, ASCEND)])
def test_a_good_card_is_fit_and_said_to_be_known_from_documents_alone(card: Gpu, vendor: OtherVendor) -> None:
    (finding,) = judge(facts(GpuFacts(gpus=(card,), others=(vendor,))), Expect(gpus=1))

    assert (finding.code, finding.severity) == ("GPU-UNPROVEN", Severity.INFO)
    assert "was not run on such hardware" in finding.message


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        (Expect(gpus=2), "GPU-COUNT"),
        (Expect(gpus=0), "GPU-COUNT"),
        (Expect(model="MI250"), "GPU-MODEL"),
        (Expect(memory_gib=200), "GPU-MEMORY"),
        (Expect(driver=">=550"), "GPU-DRIVER-OLD"),
        (Expect(driver=">=6"), "GPU-DRIVER-OLD"),
        (Expect(cuda="12.4"), "GPU-DRIVER-OLD"),
    ],
)
def test_what_differs_from_the_order_is_an_error(expect: Expect, code: str) -> None:
    found = codes(GpuFacts(gpus=(MI300X,), others=(AMD,)), expect)

    assert [one for one in found if one[1] == "error"] == [(code, "error")]


def test_a_condition_on_nvidias_driver_is_refused_with_the_name_of_the_setting() -> None:
    found = judge(facts(GpuFacts(gpus=(NPU,), others=(ASCEND,))), Expect(cuda="12.4"))

    assert "`expect.cuda: 12.4` is about NVIDIA's driver, and this host has Ascend devices" in found[0].message


@pytest.mark.parametrize("card", [MI300X, NPU])
def test_a_reading_that_failed_never_yields_fit(card: Gpu) -> None:
    broken = replace(card, failures=("ecc.total_uncorrectable_count: AMDSMI_STATUS_IO",))
    vendor = AMD if card.vendor == "amd" else ASCEND
    (first, *_) = judge(facts(GpuFacts(gpus=(broken,), others=(vendor,))), Expect())

    assert (first.code, first.severity) == ("GPU-READING-FAILED", Severity.ERROR)
    assert "nvidia-smi" not in (first.fix or "")


def test_busy_small_shared_memory_and_a_tight_container_are_judged_alike() -> None:
    busy = GpuFacts(gpus=(MI300X,), others=(AMD,), processes=(GpuProcess("amd-1", 42, "python", 100),))
    tight = facts(busy)
    tight = replace(tight, system=replace(tight.system, shm=64 << 20, memory=1 << 40, memory_limit=64 << 30))

    assert {one.code for one in judge(tight, Expect())} == {
        "GPU-UNPROVEN",
        "GPU-BUSY",
        "SHM-SMALL",
        "CONTAINER-MEMORY",
    }


def test_an_integrated_gpu_beside_nvidias_card_changes_nothing() -> None:
    assert codes(replace(NVIDIA, others=(INTEGRATED,), amd="amd-smi, kfd, module"), Expect(gpus=1, cuda="12.4")) == []


def test_a_silent_device_beside_nvidias_card_changes_nothing() -> None:
    silent = replace(AMD, tool=None, code=None, devices=("1002:1638",))

    assert codes(replace(NVIDIA, others=(silent,), amd="kfd, module"), Expect(gpus=1)) == []


def test_an_integrated_gpu_alone_is_no_gpu() -> None:
    alone = GpuFacts(others=(INTEGRATED,), amd="amd-smi, kfd, module")

    assert codes(alone) == [("GPU-MISSING", "error")]
    assert codes(alone, Expect(gpus=1)) == [("GPU-UNPROVEN", "error")]


def test_a_device_file_that_an_integrated_gpu_has_too_shows_no_card() -> None:
    alone = GpuFacts(others=(OtherVendor("amd", loaded=True, node=True),), amd="kfd, module")

    assert codes(alone) == [("GPU-MISSING", "error")]


def test_a_broken_nvidia_driver_is_judged_beside_another_makers_cards() -> None:
    both = GpuFacts(nvidia_smi=9, pci_devices=("10de:2236", "1002:74a1"), gpus=(MI300X,), others=(AMD,))

    assert ("GPU-DRIVER-NOT-LOADED", "error") in codes(both)


def test_a_stray_nvidia_smi_says_nothing_on_a_machine_of_another_maker() -> None:
    assert codes(GpuFacts(nvidia_smi=9, gpus=(MI300X,), others=(AMD,), pci_devices=("1002:74a1",))) == [
        ("GPU-UNPROVEN", "info")
    ]


def test_where_both_makers_have_cards_the_conditions_are_for_nvidias() -> None:
    both = replace(NVIDIA, gpus=(A10, MI300X), others=(AMD,))

    assert codes(both, Expect(gpus=2, cuda="12.4", driver=">=550")) == [("GPU-UNPROVEN", "info")]


@pytest.mark.parametrize(
    ("vendor", "code"),
    [
        (replace(AMD, code=124), "GPU-HUNG"),
        (replace(AMD, code=255, loaded=False, node=False), "GPU-DRIVER-NOT-LOADED"),
        (replace(AMD, tool=None, code=None, loaded=False, node=False), "GPU-DRIVER-NOT-LOADED"),
        (replace(AMD, code=255, node=False), "GPU-MISSING"),
        (replace(AMD, tool=None, code=None), "GPU-MISSING"),
        (replace(AMD, code=1), "GPU-READING-FAILED"),
        (replace(AMD, code=0), "GPU-READING-FAILED"),
        (replace(AMD, code=1, devices=()), "GPU-READING-FAILED"),
        (replace(ASCEND, code=124), "GPU-HUNG"),
        (replace(ASCEND, code=0, message="dcmi module initialize failed. ret is -8005"), "GPU-DRIVER-NOT-LOADED"),
        (replace(ASCEND, tool=None, code=None), "GPU-MISSING"),
        (replace(ASCEND, code=1), "GPU-READING-FAILED"),
        (replace(ASCEND, code=0), "GPU-READING-FAILED"),
    ],
)
def test_a_maker_whose_cards_cannot_be_seen_has_its_finding(vendor: OtherVendor, code: str) -> None:
    assert codes(GpuFacts(others=(vendor,))) == [(code, "error")]


@pytest.mark.parametrize("vendor", [replace(AMD, node=False, loaded=False, devices=(), code=255)])
def test_a_machine_booted_without_its_cards_is_unproven_and_may_be_built(vendor: OtherVendor) -> None:
    assert codes(GpuFacts(others=(vendor,), amd="amd-smi"), Expect(gpus=8)) == [("GPU-UNPROVEN", "error")]


KEYS = st.sampled_from(
    [
        *(f"gpu.amd.{name}" for name in ("static", "list", "metric", "pages", "process", "rocm")),
        *("gpu.npu.info", "gpu.npu.list", "gpu.npu.board.0", "gpu.npu.ecc.0", "gpu.npu.health.0", "pci"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "gpu",
                    "gpu_data",
                    "asic",
                    "bus",
                    "vram",
                    "ras",
                    "size",
                    "value",
                    "unit",
                    "ecc",
                    "pid",
                    "card0",
                    "error",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ROWS = st.sampled_from((GOLDEN / "npu_smi/310p3-two-chips-each/info.out").read_text().splitlines())
TEXTS = JSON.map(json.dumps) | ROWS | st.text(max_size=40).map(lambda text: text.replace("\n", " "))


@given(st.lists(st.tuples(KEYS, TEXTS | st.just("exit=0")), max_size=30))
def test_no_answer_of_a_tool_is_ever_more_than_a_finding(lines: list[tuple[str, str]]) -> None:
    told = [f"{key}|{text}" for key, text in lines]
    ends = [f"{key}|exit=0" for key in {key for key, _ in lines if key != "pci"}]
    seen = parse(probe_text("gpu.amd|amd-smi", "gpu.ascend|npu-smi", *told, *ends))

    judge(seen, Expect(gpus=1, model="MI300X", memory_gib=1, cuda="12.4"))


@given(st.data())
def test_a_damaged_recording_never_yields_more_cards_or_a_wrong_name(data: st.DataObject) -> None:
    folder = GOLDEN / data.draw(st.sampled_from(["amd_smi/mi300x-eight", "npu_smi/910b3-eight"]))
    whole = probed(folder)
    lines = whole.split(b"\n")
    at = data.draw(st.integers(0, len(lines) - 3))
    damaged = b"\n".join([*lines[:at], *lines[at + 1 :]])
    assume(lines[at].startswith((b"gpu.amd.", b"gpu.npu.")))

    gpus = parse(damaged).gpu.gpus

    assert len(gpus) <= len(parse(whole).gpu.gpus) + 1
    assert {one.name for one in gpus if not one.failures} <= {"AMD Instinct MI300X", "AMD 0x74a1", "Ascend 910B3"}
