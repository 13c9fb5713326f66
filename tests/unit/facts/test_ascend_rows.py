"""An NPU of which a line is missing or damaged is a GPU that cannot be read, and never no GPU."""

from __future__ import annotations

import pytest

from provision.facts import parse
from tests.unit.facts.probe_text import probe_text
from tests.unit.gpu.recorded_vendors import GOLDEN, answers

FOLDER = GOLDEN / "npu_smi/910b3-eight"


def failures(change: dict[str, str | None]) -> list[tuple[str, ...]]:
    host = (FOLDER / "host.txt").read_text(encoding="utf-8").splitlines()
    lines: list[str] = []
    for line in answers(FOLDER):
        part = next((part for part in change if part in line and line.startswith("gpu.npu.info|")), None)
        new = line if part is None else change[part]
        if new is not None:
            lines.append(new)
    gpus = parse(probe_text("gpu.smi|absent", *host, *lines)).gpu.gpus
    assert len(gpus) == 8
    return [gpu.failures for gpu in gpus if gpu.failures]


def test_a_whole_table_has_no_failure() -> None:
    assert failures({}) == []


def test_a_chip_without_its_second_line_cannot_be_read() -> None:
    ((failure,),) = failures({"0000:42:00.0": None})

    assert failure.endswith("without its second line")


@pytest.mark.parametrize("line", ["| 0 | 0000:42:00.0 | ERR! | 65536 |", "| ERR! | 0000:42:00.0 | 0 / 0 |"])
def test_a_chip_with_a_damaged_second_line_cannot_be_read(line: str) -> None:
    ((failure,),) = failures({"0000:42:00.0": f"gpu.npu.info|{line}"})

    assert failure == f"row: {line}"
