"""AMD's GPUs, as amd-smi (or the older rocm-smi) tells them. From documented output, not run on hardware.

Fields and texts: the source of amd-smi (github.com/ROCm/amdsmi, amdsmi_cli) and recorded output; see
tests/golden/amd_smi. What an older version does not know it rejects with a JSON object that has an ``error``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from provision.facts.answers import Answer, Found, answer, document_in, main_code
from provision.facts.rocm import INTEGRATED, rocm_gpus
from provision.model.facts import Gpu, GpuProcess, OtherVendor

if TYPE_CHECKING:
    from provision.facts.lines import Lines

VENDOR = "amd"
_TOOLS = ("amd-smi", "rocm-smi")
_SYSTEM_MEMORY = re.compile(r"(?:LP)?DDR\d", re.IGNORECASE)
"""amd-smi's memory types of a processor's own GPU; a card has GDDR or HBM."""
_FAILED = re.compile(r"AMDSMI_STATUS|\bERR|\bfailed\b|denied", re.IGNORECASE)
_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,6}){1,4}")
_GROUPS = re.compile(r"missing the following required groups: ([a-z, ]{1,60})\.")
_UNITS = {"B": 1, "KB": 1 << 10, "KIB": 1 << 10, "MB": 1 << 20, "MIB": 1 << 20, "GB": 1 << 30, "GIB": 1 << 30}
"""amd-smi calls 2**20 bytes a MB."""
_MOST_GPUS = 1024
_MOST_PROCESSES = 1000
_SURE_CLASSES = ("12", "0380")
"""PCI classes that AMD's accelerators have and its integrated GPUs and old server graphics do not."""

Entry = dict[str, Any]


def amd_facts(lines: Lines) -> Found | None:
    """Return what is known of AMD's GPUs; ``None`` where nothing shows any."""
    traces = lines.all("gpu.amd")
    tool = None if "unasked" in traces else next((name for name in _TOOLS if name in traces), None)
    main = "gpu.amd.static" if tool == "amd-smi" else "gpu.amd.rocm"
    static = answer(lines, main)
    loaded = "module" in traces
    devices = _devices(lines, any_display=tool is not None and not loaded)
    if not traces and not devices:
        return None
    gpus, integrated = _amd_smi(lines, static) if tool == "amd-smi" else rocm_gpus(static)
    asked = {name: answer(lines, f"gpu.amd.{name}") for name in ("list", "metric", "pages", "process")}
    vendor = OtherVendor(
        VENDOR,
        tool,
        code=main_code(lines, main) if tool else None,
        message=None if gpus or integrated else static.message,
        driver=_driver(static, traces),
        loaded=loaded,
        node="kfd" in traces,
        devices=devices,
        integrated=integrated,
        rejected=tuple(name for name, one in asked.items() if gpus and _rejected(one)),
        missing_groups=_missing_groups(static),
    )
    process = asked["process"]
    problems = (f"amd-smi process: {process.failure}",) if gpus and tool == "amd-smi" and process.code != 0 else ()
    return Found(vendor, gpus, _processes(process, gpus), problems)


def _amd_smi(lines: Lines, static: Answer) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """Return the cards, and the names of the integrated GPUs beside them."""
    entries = _entries(static) if static.code == 0 else {}
    identities = _entries(answer(lines, "gpu.amd.list"))
    metric, pages = answer(lines, "gpu.amd.metric"), answer(lines, "gpu.amd.pages")
    gpus, integrated = [], []
    for index, entry in list(entries.items())[:_MOST_GPUS]:
        if _is_integrated(entry):
            integrated.append(_name(entry) or "without a name")
        else:
            gpus.append(_gpu(index, entry, identities.get(index, {}), metric, pages))
    nameless = _count(static) - len(entries) if static.code == 0 else 0
    gpus += [
        Gpu(None, "", "", failures=("gpu: a GPU without a number of its own",), vendor=VENDOR)
        for _ in range(min(nameless, _MOST_GPUS))
    ]
    return tuple(gpus), tuple(integrated)


def _count(found: Answer) -> int:
    told = (document_in(found) or {}).get("gpu_data")
    return len(told) if isinstance(told, list) else 0


def _gpu(index: int, static: Entry, identity: Entry, metric: Answer, pages: Answer) -> Gpu:
    failures = [f"{name}: {text}" for name, text in _texts(static, _SHOWN_STATIC) if _FAILED.search(text)]
    memory = _mib(_at(static, "vram", "size"))
    bus_id = _text(_at(static, "bus", "bdf")) or _text(identity.get("bdf"))
    if memory is None:
        failures.append("vram.size: no number")
    if not _name(static):
        failures.append("asic: neither a name nor a device id")
    if bus_id is None and not _text(identity.get("uuid")):
        failures.append("bus.bdf: nothing that tells this GPU from others")
    measured = _part(metric, index, "metric", failures)
    bad = _part(pages, index, "bad-pages", failures)
    failures += [f"{'.'.join(path)}: no number" for path in _SHOWN_METRIC if _is_odd(_at(measured, *path))]
    told = measured.get("ecc", {})
    if not (isinstance(told, dict) or (isinstance(told, str) and _text(told) is None)):
        failures.append(f"ecc: {str(told)[:100]}")
    readings = [
        *_texts(static, _SHOWN_STATIC),
        *_texts(measured, _SHOWN_METRIC),
        *((f"bad_pages.{name}", count) for name in _PAGES if (count := _pages(bad.get(name))) is not None),
    ]
    failures += [f"{name}: {text}" for name, text in readings if name not in _FREE_TEXT and not _is_reading(text)]
    umc = _at(static, "ras", "ecc_block_state", "UMC")
    return Gpu(
        index=index,
        uuid=_text(identity.get("uuid")) or _text(_at(static, "asic", "asic_serial")) or bus_id or "",
        name=_name(static),
        bus_id=bus_id,
        memory_mib=memory,
        memory_used_mib=_mib(_at(measured, "mem_usage", "used_vram")),
        ecc=umc == "ENABLED" if isinstance(umc, str) else None,
        readings=tuple(readings),
        failures=tuple(dict.fromkeys(failures)),
        vendor=VENDOR,
    )


_SHOWN_STATIC = (
    ("asic", "market_name"),
    ("asic", "target_graphics_version"),
    ("bus", "max_pcie_width"),
    ("ras", "bad_page_threshold"),
)
_SHOWN_METRIC = (
    ("ecc", "total_correctable_count"),
    ("ecc", "total_uncorrectable_count"),
    ("ecc", "total_deferred_count"),
    ("pcie", "width"),
)
_PAGES = ("retired", "pending", "un_res")
_NO_PAGES = "no bad pages found."
_FREE_TEXT = frozenset({"asic.market_name", "asic.target_graphics_version"})


def _part(found: Answer, index: int, name: str, failures: list[str]) -> Entry:
    """Return one GPU's part of a further answer; a question that failed, and is not merely unknown, is a failure."""
    entries = _entries(found) if found.code == 0 else {}
    if index not in entries and not _rejected(found):
        failures.append(f"{name}: {found.failure if found.code != 0 else 'nothing about this GPU'}")
    return entries.get(index, {})


def _entries(found: Answer) -> dict[int, Entry]:
    """Return the answer's part for each GPU, by amd-smi's number."""
    told = (document_in(found) or {}).get("gpu_data")
    entries = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return {one["gpu"]: one for one in entries if type(one.get("gpu")) is int}


def _rejected(found: Answer) -> bool:
    """Whether this version of amd-smi does not know the question."""
    told = document_in(found) or {}
    said = found.message or ""
    return found.code != 0 and ("is invalid" in str(told.get("error", "")) or "invalid choice" in said)


def _is_integrated(entry: Entry) -> bool:
    kind = _text(_at(entry, "vram", "type")) or ""
    return _text(_at(entry, "asic", "target_graphics_version")) in INTEGRATED or bool(_SYSTEM_MEMORY.match(kind))


def _name(entry: Entry) -> str:
    told = (_text(_at(entry, *path)) for path in (("asic", "market_name"), ("board", "product_name")))
    device = _text(_at(entry, "asic", "device_id"))
    return next((text for text in told if text and not _FAILED.search(text)), f"AMD {device}" if device else "")


def _processes(found: Answer, gpus: tuple[Gpu, ...]) -> tuple[GpuProcess, ...]:
    known = {gpu.index: gpu.uuid for gpu in gpus}
    seen = []
    for index, entry in (_entries(found) if found.code == 0 else {}).items():
        told = entry.get("process_list")
        for one in told if isinstance(told, list) and index in known else ():
            # Where none runs, a sentence stands in the place of the process.
            info = one.get("process_info") if isinstance(one, dict) else None
            if isinstance(info, dict) and type(info.get("pid")) is int:
                memory = _mib(_at(info, "memory_usage", "vram_mem") or info.get("mem_usage"))
                name = _text(info.get("name")) or "a process of another user"
                seen.append(GpuProcess(known[index], info["pid"], name, memory))
    return tuple(seen[:_MOST_PROCESSES])


def _driver(static: Answer, traces: list[str]) -> str | None:
    told = [_at(entry, "driver", name) for entry in _entries(static).values() for name in ("version", "driver_version")]
    rocm = (document_in(static) or {}).get("system")
    told.append(_at(rocm, "Driver version") if isinstance(rocm, dict) else None)
    told += [trace.removeprefix("driver ") for trace in traces if trace.startswith("driver ")]
    # A driver of the kernel itself has no version of its own, and tells how the kernel was built.
    return next((text for text in told if isinstance(text, str) and _VERSION.fullmatch(text.strip())), None)


def _devices(lines: Lines, *, any_display: bool) -> tuple[str, ...]:
    found = []
    for text in lines.all("pci"):
        device, _, rest = text.partition(" ")
        if device.startswith("1002:") and (any_display or rest.startswith(_SURE_CLASSES)):
            found.append(device)
    return tuple(found)


def _missing_groups(found: Answer) -> tuple[str, ...]:
    match = _GROUPS.search("\n".join(found.lines))
    return tuple(name.strip() for name in match[1].split(",")) if match else ()


def _at(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str | None:
    """Return a text, ``None`` for what is none or stands for one: ``N/A``."""
    found = value.strip() if isinstance(value, str) else ""
    return None if found.upper() in {"", "N/A", "NA"} else found


def _texts(entry: Entry, paths: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    told = [(".".join(path), _at(entry, *path)) for path in paths]
    return [
        (name, str(value)) for name, value in told if isinstance(value, (int, float)) or _text(value) not in {None, ""}
    ]


def _is_reading(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19  # noqa: PLR2004 - a 64-bit counter


def _is_odd(value: object) -> bool:
    """Whether something is there that can neither be a count nor stand for none."""
    return isinstance(value, (dict, list))


def _pages(told: object) -> str | None:
    """Return how many bad pages there are: a sentence for none, an object for one, a list for more."""
    if isinstance(told, list):
        return str(len(told))
    if isinstance(told, dict):
        return "1"
    if isinstance(told, int):
        return str(told)
    text = _text(told)
    return "0" if text is not None and text.lower() == _NO_PAGES else text


def _mib(told: object) -> int | None:
    """Return MiB from ``{"value": 196592, "unit": "MB"}``."""
    value, unit = _at(told, "value"), _at(told, "unit")
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not isinstance(unit, str):
        return None
    factor = _UNITS.get(unit.upper())
    return None if factor is None or not 0 <= value < 1 << 60 else int(value * factor) >> 20
