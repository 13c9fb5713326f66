"""Accelerators: what nvidia-smi, the PCI bus and the kernel say of them.

Exit codes and texts: NVIDIA's manual of nvidia-smi, section "RETURN VALUE"; 18 is not in it, and is what a
mismatch of driver and library gives. A text that says a reading failed is never taken for "does not apply".
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.facts.amd import amd_facts
from provision.facts.ascend import ascend_facts
from provision.facts.lines import Lines, number
from provision.model.facts import Gpu, GpuFacts, GpuProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

HUNG = 124
"""The exit code that stands for a call that had to be ended."""
_KILLED = 137
_UNFINISHED = 255
_INFOROM = 14
"""The infoROM is corrupt, and the data is printed all the same."""
_GIVES_DATA = frozenset({0, _INFOROM})

_NULLS = frozenset(
    {
        "",
        "n/a",
        "[n/a]",
        "none",
        "[none]",
        "not supported",
        "[not supported]",
        "[requested functionality has been deprecated]",
    }
)
_FAILURE = re.compile(
    r"ERR!|\bError\b|Permission|requires reset|\bLost\b|Not Found|Unknown|Failed|Timeout", re.IGNORECASE
)
_BRACKETED = re.compile(r"\[.*\]")
"""What nvidia-smi puts in the place of a reading: one of `_NULLS`, or the name of an error of NVML."""
_NOISE = re.compile(
    r"WARNING: infoROM is corrupted at gpu |\[[\w-]{1,20} [A-Za-z]{1,9}\(\d+:\d+:[\w.]{1,40}:\d+\)\]:", re.ASCII
)
"""Lines between the rows: nvidia-smi's own warning, and what a vGPU library loaded into it says (HAMi, 4paradigm)."""
_EXIT = re.compile(r"exit=([0-9]{1,3})")
_CUDA = re.compile(r"CUDA (?:UMD )?Version *: *(\d{1,3}\.\d{1,3})")
_DRIVER = re.compile(r"(?:Driver|KMD) Version *: *(\d{2,5}(?:\.\d{1,5}){1,3})")
_FABRIC_MANAGER = re.compile(r"Fabric Manager version is *: *(\d{2,5}(?:\.\d{1,5}){1,3})")
_VERSION = re.compile(r"\d{2,5}(?:\.\d{1,5}){1,3}")
_UUID = re.compile(r"(?:GPU|MIG)-[0-9a-fA-F][0-9a-zA-Z/-]{3,120}")
_MIG = re.compile(r"\(UUID: *(MIG-[^)\s]{4,120})\)")

_TYPED = frozenset(
    {
        "index",
        "name",
        "uuid",
        "pci.bus_id",
        "driver_version",
        "compute_cap",
        "memory.total",
        "memory.used",
        "persistence_mode",
        "compute_mode",
        "mig.mode.current",
        "ecc.mode.current",
    }
)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
"""A count. 2**64 - 1, which a driver gives for one that it does not know, is longer and no reading."""
_YES_NO = re.compile(r"Yes|No", re.IGNORECASE)
_ACTIVE = re.compile(r"(?:Not )?Active", re.IGNORECASE)
_FAMILIES: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (re.compile(r"ecc\.errors\..*"), _WHOLE),
    (re.compile(r"remapped_rows\.(?:un)?correctable|retired_pages\..*\.count"), _WHOLE),
    (re.compile(r"remapped_rows\.(?:pending|failure)|retired_pages\.pending"), _YES_NO),
    (re.compile(r"reset_status\..*"), _YES_NO),
    (re.compile(r"clocks_(?:event|throttle)_reasons\..*_slowdown"), _ACTIVE),
    (re.compile(r"pcie\.link\.(?:gen|width)\.(?:current|max)"), _WHOLE),
    (re.compile(r"temperature\.gpu"), re.compile(r"-?\d{1,4}", re.ASCII)),
    (re.compile(r"fabric\.state"), re.compile(r"Completed|In Progress|Not Started", re.IGNORECASE)),
    (
        re.compile(r"compute_mode"),
        re.compile(r"Default|Prohibited|Exclusive[_ ](?:Process|Thread)", re.IGNORECASE),
    ),
)
"""Readings by the names of their fields, with what each looks like; a new word, which nobody judges, fails.

`gpu_recovery_action`, `fabric.status` and `fabric.health.summary` are not here: each word but the good one is told.
"""
_SHARES_MEMORY = re.compile(r"\bGB10\b|\bDGX Spark\b|\bJetson\b|\bOrin\b|\bThor\b|\bXavier\b|\biGPU\b", re.IGNORECASE)
"""Names of GPUs without memory of their own, for which nvidia-smi tells none."""
_NEEDED = ("uuid", "memory.total")
"""Fields that every driver has; a question without them is not believed."""
_XID_WITHOUT_COMMA = re.compile(r"(NVRM: Xid \([^)]{1,40}\): *\d{1,5})(?![\d,])", re.ASCII)
_SHAPES: dict[str, re.Pattern[str]] = {
    "index": re.compile(r"\d{1,6}"),
    "uuid": _UUID,
    "compute_cap": re.compile(r"\d{1,2}\.\d{1,2}"),
    "memory.total": re.compile(r"(?!0+(?: |$))\d{1,12}(?: MiB)?"),
    "memory.used": re.compile(r"\d{1,12}(?: MiB)?"),
    "persistence_mode": re.compile(r"Enabled|Disabled"),
    "mig.mode.current": re.compile(r"Enabled|Disabled"),
    "ecc.mode.current": re.compile(r"Enabled|Disabled"),
}
"""What a reading looks like when it is one; anything else in its place is a failure."""
_MESSAGE_LENGTH = 500
_MOST_GPUS = 1024


def gpu_facts(lines: Lines) -> tuple[GpuFacts, tuple[str, ...]]:
    """Return what is known of the accelerators, and the parts that gave no answer."""
    query, code = _answer(lines, "gpu.query")
    header, header_code = _answer(lines, "gpu.header")
    present = lines.first("gpu.smi") == "present"
    if not present:
        code = None
    elif code is None:
        # It was asked and never answered: neither a result nor an exit code came through.
        code = HUNG if not lines.all("gpu.query") else _UNFINISHED
    elif code == 0 and header_code == _INFOROM:
        # Only the call without arguments tells it; the query beside it may end well.
        code = _INFOROM
    gpus = _gpus(lines, query) if code in _GIVES_DATA else ()
    others = [found for found in (amd_facts(lines), ascend_facts(lines)) if found is not None]
    head = "\n".join(header)
    problems = [] if header_code in {None, 0} or code != 0 else [f"nvidia-smi without arguments: exit {header_code}"]
    facts = GpuFacts(
        nvidia_smi=code,
        message=None if gpus or not present else _message(query or header),
        gpus=(*gpus, *(gpu for found in others for gpu in found.gpus)),
        mig_devices=tuple(_MIG.findall("\n".join(_answer(lines, "gpu.list")[0]))),
        processes=(*_processes(lines), *(one for found in others for one in found.processes)),
        driver=_driver(lines, query, head),
        driver_loaded=_version(lines.first("gpu.loaded")),
        driver_installed=_version(lines.first("gpu.installed")),
        cuda=match[1] if (match := _CUDA.search(head)) else None,
        pci_devices=tuple(text.split(" ")[0] for text in lines.all("pci")),
        fabric_manager=lines.first("gpu.fabric_manager"),
        fabric_manager_version=_fabric_manager_version(lines),
        xid=tuple(_XID_WITHOUT_COMMA.sub(r"\1,", line) for line in lines.all("gpu.xid")[-50:]),
        amd=", ".join(lines.all("gpu.amd")) or None,
        ascend=", ".join(lines.all("gpu.ascend")) or None,
        others=tuple(found.vendor for found in others),
        libcuda=lines.first("gpu.libcuda"),
    )
    return facts, (*problems, *(problem for found in others for problem in found.problems))


def _answer(lines: Lines, key: str) -> tuple[list[str], int | None]:
    """Return what one call printed, and its exit code; ``None``: it printed too much, or nothing."""
    texts = lines.all(key)
    if not texts or not (match := _EXIT.fullmatch(texts[-1])):
        return _without_noise(texts), None
    code = int(match[1])
    return _without_noise(texts[:-1]), HUNG if code == _KILLED else code


def _without_noise(texts: Sequence[str]) -> list[str]:
    return [text for text in texts if text.strip() and not _NOISE.match(text)]


def _message(texts: list[str]) -> str | None:
    return "\n".join(text.strip() for text in texts[:10])[:_MESSAGE_LENGTH] or None


def _names(lines: Lines) -> list[str]:
    return (lines.first("gpu.fields") or "").split(",")


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.split(",")]


def _gpus(lines: Lines, rows: list[str]) -> tuple[Gpu, ...]:
    names = _names(lines)
    gpus = [_gpu(names, _cells(row), row) for row in rows[:_MOST_GPUS]]
    uuids, indices = Counter(gpu.uuid for gpu in gpus), Counter(gpu.index for gpu in gpus)
    found = []
    for gpu in gpus:
        twice = []
        if gpu.uuid and uuids[gpu.uuid] > 1:
            twice.append(f"uuid: {gpu.uuid} is told of {uuids[gpu.uuid]} GPUs")
        if gpu.index is not None and indices[gpu.index] > 1:
            twice.append(f"index: {gpu.index} is told of {indices[gpu.index]} GPUs")
        found.append(replace(gpu, failures=(*gpu.failures, *twice)) if twice else gpu)
    return tuple(found)


def _gpu(names: list[str], cells: list[str], row: str) -> Gpu:
    if len(cells) != len(names):
        return Gpu(index=None, uuid="", name="", failures=(f"row: {row.strip()[:200]}",))
    texts = dict(zip(names, cells, strict=True))
    failures = [f"{name}: {text[:200]}" for name, text in texts.items() if _failed(name, text)]
    failures += [f"{name}: nvidia-smi does not offer this field" for name in _NEEDED if name not in texts]
    memory = texts.get("memory.total")
    if memory is not None and memory.lower() in _NULLS and not _SHARES_MEMORY.search(texts.get("name", "")):
        failures.append(f"memory.total: {memory or 'nothing'}")
    good = {name: text for name, text in texts.items() if not _failed(name, text) and text.lower() not in _NULLS}
    return Gpu(
        index=number(good.get("index")),
        uuid=good.get("uuid", ""),
        name=good.get("name", ""),
        bus_id=good.get("pci.bus_id"),
        compute_capability=good.get("compute_cap"),
        memory_mib=_mib(good.get("memory.total")),
        memory_used_mib=_mib(good.get("memory.used")),
        persistence=_enabled(good.get("persistence_mode")),
        compute_mode=good.get("compute_mode"),
        mig=_enabled(good.get("mig.mode.current")),
        ecc=_enabled(good.get("ecc.mode.current")),
        readings=tuple((name, text) for name, text in texts.items() if name not in _TYPED),
        failures=tuple(failures),
    )


def _failed(name: str, text: str) -> bool:
    """Whether the text says that reading failed, or is not what that field can be."""
    if name in {"index", "uuid"}:
        return not _SHAPES[name].fullmatch(text)
    if text.lower() in _NULLS:
        return False
    shape = _SHAPES.get(name) or next((shape for field, shape in _FAMILIES if field.fullmatch(name)), None)
    if shape is not None:
        return not shape.fullmatch(text)
    return bool(_FAILURE.search(text) or _BRACKETED.fullmatch(text))


def _mib(text: str | None) -> int | None:
    return number(text.removesuffix(" MiB")) if text else None


def _enabled(text: str | None) -> bool | None:
    return None if text is None else text == "Enabled"


def _processes(lines: Lines) -> tuple[GpuProcess, ...]:
    rows, code = _answer(lines, "gpu.apps")
    if code not in _GIVES_DATA:
        return ()
    found = []
    for row in rows:
        cells = _cells(row)
        match cells:
            # The command's name stands in the middle and may hold commas.
            case [uuid, pid, *name, memory] if name and _UUID.fullmatch(uuid) and number(pid) is not None:
                found.append(GpuProcess(uuid, int(pid), ", ".join(name), _mib(memory)))
    return tuple(found)


def _driver(lines: Lines, rows: list[str], header: str) -> str | None:
    names = _names(lines)
    if "driver_version" in names:
        place = names.index("driver_version")
        for row in rows:
            cells = _cells(row)
            if len(cells) == len(names) and _VERSION.fullmatch(cells[place]):
                return cells[place]
    return match[1] if (match := _DRIVER.search(header)) else None


def _fabric_manager_version(lines: Lines) -> str | None:
    match = _FABRIC_MANAGER.search("\n".join(lines.all("gpu.fabric_manager_version")))
    return match[1] if match else None


def _version(text: str | None) -> str | None:
    """Return the first whole version in a line such as that of /proc/driver/nvidia/version."""
    return match[0] if text and (match := _VERSION.search(text.replace("x86_64", ""))) else None
