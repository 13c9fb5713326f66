"""Huawei's Ascend NPUs, as npu-smi tells them. From documented output, not run on hardware.

The tables of ``npu-smi info`` have two lines for each chip; the second header line says what stands where:
``Device`` or ``Phy-ID`` is the number that programs use, ``HBM-Usage(MB)`` is there where the chip has HBM. A card
may hold several chips. Recorded and documented output: tests/golden/npu_smi.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.facts.answers import Answer, Found, answer, main_code
from provision.model.facts import Gpu, GpuProcess, OtherVendor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.facts.lines import Lines

VENDOR = "ascend"
_HEAD = re.compile(r"(\d{1,9})\s+([A-Za-z0-9][\w.-]{1,40})")
_NUMBERS = re.compile(r"(\d{1,9})(?:\s+(\d{1,9}))?")
_BUS = re.compile(r"[0-9a-fA-Fx]{4,8}:[0-9a-fA-Fx]{2}:[0-9a-fA-Fx]{2}\.[0-9a-fA-Fx]")
_PAIR = re.compile(r"(\d{1,12})\s*/\s*(\d{1,12})")
_VERSION = re.compile(r"Version: *(\d{1,4}(?:\.\w{1,12}){1,5})")
_HEALTH = frozenset({"OK", "Warning", "Alarm", "Critical"})
"""What npu-smi's manual lists, without UNKNOWN: that is no reading."""
_UNSUPPORTED = re.compile(r"not support", re.IGNORECASE)
_COUNTS = (
    ("HBM Double Bit Error Count", "ecc.hbm_double_bit"),
    ("DDR Double Bit Error Count", "ecc.ddr_double_bit"),
    ("HBM Double Bit Isolated Pages Count", "ecc.hbm_isolated_pages"),
)
_MOST_ROWS = 4096
_COLUMNS = 3
_LONGEST = 18
"""Digits of the longest count that is believed."""


@dataclass(frozen=True, slots=True)
class _Chip:
    """One chip, as its two lines tell it."""

    npu: int
    chip: int
    device: int | None
    name: str
    health: str
    bus_id: str | None
    memory: tuple[int, int] | None
    """Used and whole, in MiB."""


def ascend_facts(lines: Lines) -> Found | None:
    """Return what is known of Ascend NPUs; ``None`` where nothing shows any."""
    traces = lines.all("gpu.ascend")
    # Huawei's network cards and the graphics of its servers have the same vendor.
    devices = tuple(text.split(" ")[0] for text in lines.all("pci") if text.startswith("19e5:d"))
    if not traces and not devices:
        return None
    info = answer(lines, "gpu.npu.info")
    tool = "npu-smi" if "npu-smi" in traces and "unasked" not in traces else None
    chips, damaged = _chips(info) if tool and info.code == 0 else ([], [])
    gpus = (*(_gpu(lines, chip) for chip in chips), *damaged)
    match = _VERSION.search("\n".join(info.lines[:4]))
    node = "davinci" in traces
    vendor = OtherVendor(
        VENDOR,
        tool,
        code=main_code(lines, "gpu.npu.info") if tool else None,
        message=None if gpus else info.message,
        driver=match[1] if match else None,
        loaded=node,
        node=node,
        devices=devices,
    )
    return Found(vendor, gpus, _processes(info, chips))


def _chips(info: Answer) -> tuple[list[_Chip], list[Gpu]]:
    """Return the chips of the first table, and a GPU without readings for each line that nobody understands."""
    found: list[_Chip] = []
    damaged: list[Gpu] = []
    head: tuple[int, str, str] | None = None
    numbered = has_hbm = False
    for line, cells in _rows(info):
        if len(cells) != _COLUMNS:
            if cells:
                damaged.append(_unread(line))
            elif head is not None:
                damaged.append(_unread(f"NPU {head[0]} {head[1]}: without its second line"))
            head = None
            continue
        if cells[0].startswith("Chip"):
            numbered = "Device" in cells[0] or "Phy-ID" in cells[0]
            has_hbm = "HBM-Usage" in cells[2]
        elif head is None and (match := _HEAD.fullmatch(cells[0])) and not _BUS.fullmatch(cells[1]):
            head = int(match[1]), match[2], cells[1]
        elif head is not None and (match := _NUMBERS.fullmatch(cells[0])):
            device = int(match[2]) if numbered and match[2] else None
            bus_id = cells[1] if _BUS.fullmatch(cells[1]) else None
            found.append(
                _Chip(head[0], int(match[1]), device, head[1], head[2], bus_id, _memory(cells[2], has_hbm=has_hbm))
            )
            head = None
        else:
            damaged.append(_unread(line))
            head = None
    if head is not None:
        damaged.append(_unread(f"NPU {head[0]} {head[1]}: without its second line"))
    return found, damaged


def _rows(info: Answer) -> Iterator[tuple[str, list[str]]]:
    """Yield the first table's lines and their cells: no cells for a rule, another number for a damaged line."""
    for line in info.lines[:_MOST_ROWS]:
        if "Process id" in line:
            return
        if line.lstrip().startswith("+"):
            yield line, []
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|") or cells[0].startswith("NPU"):
            continue
        # The title above the columns has one cell; a chip's line begins with its number.
        if len(cells) == _COLUMNS or _NUMBERS.match(cells[0]):
            yield line, cells


def _unread(line: str) -> Gpu:
    return Gpu(None, "", "", failures=(f"row: {line.strip()[:200]}",), vendor=VENDOR)


def _memory(cell: str, *, has_hbm: bool) -> tuple[int, int] | None:
    """Return used and whole memory: HBM's where the chip has it, the other kind's where not."""
    pairs = [(int(used), int(whole)) for used, whole in _PAIR.findall(cell)]
    if has_hbm and len(pairs) > 1 and pairs[1][1]:
        return pairs[1]
    return pairs[0] if pairs and pairs[0][1] else None


def _gpu(lines: Lines, chip: _Chip) -> Gpu:
    failures = []
    if chip.health not in _HEALTH:
        failures.append(f"health: {chip.health[:100] or 'nothing'}")
    if chip.memory is None:
        failures.append("memory: no number")
    board_answer = answer(lines, f"gpu.npu.board.{chip.npu}")
    ecc_answer = answer(lines, f"gpu.npu.ecc.{chip.npu}")
    board, ecc = _fields(board_answer), _of_chip(ecc_answer, chip.chip)
    for name, found, fields in (("board", board_answer, board), ("ecc", ecc_answer, ecc)):
        if not fields and not _UNSUPPORTED.search("\n".join(found.lines)):
            failures.append(f"{name}: {found.failure}")
    counts = [(name, ecc[field]) for field, name in _COUNTS if field in ecc and ecc[field].upper() not in {"NA", "N/A"}]
    failures += [
        f"{name}: {text[:100]}"
        for name, text in counts
        if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST)
    ]
    why = _of_chip(answer(lines, f"gpu.npu.health.{chip.npu}"), chip.chip)
    told = [
        ("health", chip.health),
        ("health.error_code", why.get("Error Code", "")),
        ("health.error", why.get("Error Information", "")),
        ("board.compatibility", board.get("Compatibility", "")),
        ("board.firmware", board.get("Firmware Version", "")),
        ("board.software", board.get("Software Version", "")),
        *counts,
    ]
    return Gpu(
        index=chip.npu if chip.device is None else chip.device,
        uuid=_identity(chip.npu, chip.chip),
        name=_name(chip.name),
        bus_id=chip.bus_id,
        memory_mib=chip.memory[1] if chip.memory else None,
        memory_used_mib=chip.memory[0] if chip.memory else None,
        readings=tuple((name, text) for name, text in told if text.upper() not in {"", "NA", "N/A"}),
        failures=tuple(failures),
        vendor=VENDOR,
    )


def _identity(npu: int, chip: int) -> str:
    """Return what tells a chip from others: npu-smi's own numbers, because it shows no UUID."""
    return f"npu-{npu}-chip-{chip}"


def _name(told: str) -> str:
    """Return ``Ascend 910B3`` for npu-smi's ``910B3`` and for ``Ascend910B3``."""
    return f"Ascend {told.removeprefix('Ascend')}".strip()


def _fields(found: Answer) -> dict[str, str]:
    pairs = [line.partition(":") for line in found.lines if ":" in line] if found.code == 0 else []
    return {name.strip(): text.strip() for name, _, text in pairs}


def _of_chip(found: Answer, chip: int) -> dict[str, str]:
    """Return one chip's fields: each chip's block ends with its ``Chip ID``, and a lone chip may have none."""
    if found.code != 0:
        return {}
    block: dict[str, str] = {}
    blocks: dict[int, dict[str, str]] = {}
    for line in found.lines:
        name, colon, text = line.partition(":")
        if colon and name.strip() == "Chip ID" and text.strip().isdigit() and len(text.strip()) < 9:  # noqa: PLR2004
            blocks[int(text)], block = block, {}
        elif colon:
            block[name.strip()] = text.strip()
    return blocks.get(chip, {}) if blocks else block


def _processes(info: Answer, chips: list[_Chip]) -> tuple[GpuProcess, ...]:
    known = {(chip.npu, chip.chip) for chip in chips}
    found = []
    for line in info.lines[:_MOST_ROWS] if info.code == 0 else ():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 4 or not (match := _NUMBERS.fullmatch(cells[0])) or not match[2]:  # noqa: PLR2004 - columns
            continue
        place = int(match[1]), int(match[2])
        if place in known and cells[1].isdigit() and len(cells[1]) < 9:  # noqa: PLR2004 - digits of a process id
            memory = int(cells[3]) if cells[3].isdigit() and len(cells[3]) < 12 else None  # noqa: PLR2004
            found.append(GpuProcess(_identity(*place), int(cells[1]), cells[2] or "a process", memory))
    return tuple(found)
