"""An answer that says nothing, or something impossible, where a number belongs, makes no fit host."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from provision.facts import parse
from provision.gpu.findings import judge
from provision.model.host import Expect
from provision.model.plan import Severity
from tests.unit.facts.probe_text import probe_text
from tests.unit.gpu.recorded_vendors import GOLDEN, answers

if TYPE_CHECKING:
    from pathlib import Path

    from provision.model.facts import Facts

ROOM = ("space|/dev/shm|9 4096 9 9 9999999", "meminfo|MemTotal: 2113929216")
CARD = {
    "index": "0",
    "name": "NVIDIA A100-SXM4-80GB",
    "uuid": "GPU-00000000-0000-0000-0000-000000008000",
    "pci.bus_id": "00000000:0E:00.0",
    "driver_version": "550.54.14",
    "compute_cap": "8.0",
    "memory.total": "81920",
    "memory.used": "0",
    "ecc.mode.current": "Enabled",
    "ecc.errors.uncorrected.volatile.total": "0",
    "ecc.errors.corrected.volatile.total": "0",
    "remapped_rows.pending": "No",
    "remapped_rows.failure": "No",
    "gpu_recovery_action": "None",
    "fabric.state": "Completed",
}
EXPECT = Expect(gpus=1, model="A100", memory_gib=79, driver=">=550", cuda="12.4")
HEADER = ("gpu.header|NVIDIA-SMI 550.54.14  Driver Version: 550.54.14  CUDA Version: 12.4", "gpu.header|exit=0")


def nvidia(*rows: dict[str, str], header: tuple[str, ...] = HEADER, more: tuple[str, ...] = ()) -> Facts:
    fields = list(rows[0])
    lines = [f"gpu.query|{', '.join(row.values())}" for row in rows]
    return parse(
        probe_text(
            "gpu.smi|present", f"gpu.fields|{','.join(fields)}", *lines, "gpu.query|exit=0", *header, *ROOM, *more
        )
    )


def errors(facts: Facts, expect: Expect = EXPECT) -> list[str]:
    return [one.code for one in judge(facts, expect) if one.severity is Severity.ERROR]


def test_the_card_of_these_tests_is_fit() -> None:
    assert judge(nvidia(CARD), EXPECT) == ()


@pytest.mark.parametrize("name", ["ecc.errors.uncorrected.volatile.total", "ecc.errors.corrected.volatile.total"])
@pytest.mark.parametrize(
    "text", ["18446744073709551615", "99999999999999999999", "-1", "nan", "0x0", "1e5", "ERR", "???", "Timed out"]
)
def test_a_count_that_is_no_number_is_a_failed_reading(name: str, text: str) -> None:
    assert "GPU-READING-FAILED" in errors(nvidia({**CARD, name: text}))


@pytest.mark.parametrize("name", ["remapped_rows.failure", "remapped_rows.pending", "fabric.state"])
@pytest.mark.parametrize("text", ["-1", "ERR", "???", "Timed out", "Corrupt"])
def test_a_state_that_is_none_of_the_drivers_words_is_a_failed_reading(name: str, text: str) -> None:
    assert errors(nvidia({**CARD, name: text}))


@pytest.mark.parametrize("text", ["[N/A]", "N/A", "", "None"])
def test_a_card_with_memory_of_its_own_does_not_share_the_machines(text: str) -> None:
    assert errors(nvidia({**CARD, "memory.total": text}))


def test_a_card_without_any_memory_is_not_fit() -> None:
    assert errors(nvidia({**CARD, "memory.total": "0"}), Expect(gpus=1))


@pytest.mark.parametrize("text", ["[N/A]", "", "unreadable", "-1", "ERR"])
def test_a_condition_on_a_driver_that_cannot_be_read_is_not_met(text: str) -> None:
    facts = nvidia({**CARD, "driver_version": text}, header=("gpu.header|exit=0",))
    assert facts.gpu.driver is None
    assert errors(facts, Expect(gpus=1, driver=">=560", cuda="13.0"))


@pytest.mark.parametrize("code", [15, 255, 4])
def test_a_failure_of_nvidia_smi_without_arguments_is_told(code: int) -> None:
    header = ("gpu.header|Unable to determine the device handle for GPU0: Unknown Error", f"gpu.header|exit={code}")
    assert judge(nvidia(CARD, header=header), EXPECT)


def test_one_card_told_twice_is_not_two_cards() -> None:
    assert errors(nvidia(CARD, CARD), Expect(gpus=2))


def test_two_cards_with_one_index_cannot_be_told_apart() -> None:
    other = {**CARD, "uuid": CARD["uuid"].replace("8000", "8001"), "pci.bus_id": "00000000:13:00.0"}
    assert errors(nvidia(CARD, other), Expect(gpus=2))


@pytest.mark.parametrize("missing", ["uuid", "memory.total"])
def test_a_driver_whose_help_lacks_a_field_that_every_driver_has_is_not_believed(missing: str) -> None:
    assert errors(nvidia({name: text for name, text in CARD.items() if name != missing}))


def test_fewer_cards_than_the_bus_shows_are_worth_a_word() -> None:
    bus = tuple(f"pci|10de:20b2 030200 0000:{number:02x}:00.0" for number in (14, 19))
    assert judge(nvidia(CARD, more=bus), Expect())


@pytest.mark.parametrize(
    "line",
    [
        "NVRM: Xid (PCI:0000:0e:00): 79 GPU has fallen off the bus.",
        "NVRM: Xid (PCI:0000:0e:00): ERR!, pid=1",
        "NVRM: Xid (PCI:0000:0e:00): 12345, pid=1",
    ],
)
def test_an_xid_line_of_another_form_is_told_all_the_same(line: str) -> None:
    assert judge(nvidia(CARD, more=(f"gpu.xid|{line}",)), EXPECT)


def amd(change: Any) -> Facts:
    folder = GOLDEN / "amd_smi/mi300x-eight"
    told = _documents(folder)
    change(told)
    lines = [
        line
        for key, value in told.items()
        for line in (*(f"{key}|{one}" for one in json.dumps(value, indent=1).split("\n")), f"{key}|", f"{key}|exit=0")
    ]
    return parse(probe_text("gpu.smi|absent", *_host(folder), *lines, *ROOM))


def _host(folder: Path) -> list[str]:
    return (folder / "host.txt").read_text(encoding="utf-8").splitlines()


def _documents(folder: Path) -> dict[str, Any]:
    texts: dict[str, list[str]] = {}
    for line in answers(folder):
        key, _, text = line.partition("|")
        texts.setdefault(key, []).append(text)
    return {key: json.loads("\n".join(text[:-2])) for key, text in copy.deepcopy(texts).items()}


def _entries(told: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = told[f"gpu.amd.{key}"]
    return found["gpu_data"] if isinstance(found, dict) else found  # type: ignore[no-any-return]


def test_the_amd_host_of_these_tests_is_fit() -> None:
    assert errors(amd(lambda _told: None), Expect()) == []


@pytest.mark.parametrize("value", [[], ["gfx942"], {"value": "gfx942"}])
def test_an_amd_field_of_another_shape_does_not_end_the_run(value: object) -> None:
    """TypeError: unhashable type, from _is_integrated."""
    amd(lambda told: _entries(told, "static")[3]["asic"].update(target_graphics_version=value))


@pytest.mark.parametrize("value", [{"value": 5, "unit": ""}, [5]])
@pytest.mark.parametrize("name", ["total_uncorrectable_count", "total_deferred_count"])
def test_an_amd_count_of_another_shape_is_a_failed_reading(name: str, value: object) -> None:
    assert judge_beyond_info(amd(lambda told: _entries(told, "metric")[3]["ecc"].update({name: value})))


@pytest.mark.parametrize("value", ["ERR!", [], 1])
def test_an_amd_card_without_its_memory_errors_is_a_failed_reading(value: object) -> None:
    assert judge_beyond_info(amd(lambda told: _entries(told, "metric")[3].update(ecc=value)))


@pytest.mark.parametrize("value", ["3", None, "ERR!", [3], 0])
def test_an_amd_card_with_an_unreadable_number_is_not_left_out(value: object) -> None:
    facts = amd(lambda told: _entries(told, "static")[3].update(gpu=value))
    assert len(facts.gpu.gpus) == 8 or judge_beyond_info(facts)


def judge_beyond_info(facts: Facts) -> list[str]:
    return [one.code for one in judge(facts, Expect()) if one.severity is not Severity.INFO]


@pytest.mark.parametrize("text", ["99999999999999999999", "18446744073709551615"])
def test_an_npu_count_beyond_all_bounds_is_a_failed_reading(text: str) -> None:
    lines = [
        f"gpu.npu.ecc.3|        HBM Double Bit Error Count               : {text}"
        if line.startswith("gpu.npu.ecc.3|") and "HBM Double Bit Error Count" in line
        else line
        for line in answers(GOLDEN / "npu_smi/910b3-eight")
    ]
    facts = parse(probe_text("gpu.smi|absent", *_host(GOLDEN / "npu_smi/910b3-eight"), *lines, *ROOM))
    assert judge_beyond_info(facts)


@pytest.mark.parametrize("broken", ["drop", "more columns"])
def test_an_npu_whose_second_line_is_broken_is_not_left_out(broken: str) -> None:
    folder = GOLDEN / "npu_smi/910b3-eight"
    lines = []
    for line in answers(folder):
        if line.startswith("gpu.npu.info|") and "0000:42:00.0" in line:
            if broken == "drop":
                continue
            lines.append(line.replace("3315 / 65536", "ERR! | 65536"))
        else:
            lines.append(line)
    facts = parse(probe_text("gpu.smi|absent", *_host(folder), *lines, *ROOM))
    assert len(facts.gpu.gpus) == 8 or judge_beyond_info(facts)
