"""What framework_check.py is asked and what it answers; its answer is read as text from a stranger."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.facts.lines import document

if TYPE_CHECKING:
    from provision.model.facts import Gpu, GpuFacts

NAMES = ("torch", "jax", "tensorflow")
"""The frameworks that the script can ask, by the module that is imported."""

_FORMAT = 1
_LONGEST = 800
_MOST = 128
_LARGEST = 1 << 60
_USED_MIB = 2048


@dataclass(frozen=True, slots=True)
class Said:
    """A warning that Python was given, or a line that was printed."""

    text: str
    category: str | None = None
    """Name of the warning's class; ``None``: a line of output."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one child process ended."""

    ok: bool
    error: str | None = None
    """The exception, or how the process ended; ``None`` where it did what it should."""
    slow: bool = False
    """It was ended at its time limit."""
    linked: bool = False
    """It was ended because another process, which it waited for, had failed."""
    seconds: float | None = None
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU as the framework describes it."""

    name: str | None = None
    capability: str | None = None
    """CUDA's compute capability, ``8.0``."""
    architecture: str | None = None
    """AMD's name of it, ``gfx90a``."""
    memory: int | None = None
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a framework says of itself."""

    version: str
    kind: str
    """What it was built for: ``cuda``, ``hip`` (AMD), ``npu`` (Ascend) or ``cpu``."""
    cuda: str | None = None
    hip: str | None = None
    cudnn: str | None = None
    nccl: str | None = None
    architectures: tuple[str, ...] = ()
    """What it holds code for, ``sm_80``, ``compute_90``, ``gfx90a``; empty: it does not say."""
    count: int = 0
    """GPUs that it sees."""
    devices: tuple[Device, ...] = ()
    visible: str | None = None
    """The variable that hides devices, such as CUDA_VISIBLE_DEVICES; ``None``: not set."""
    error: str | None = None
    """Why it sees none."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What could be allocated on one GPU; bytes."""

    free: int
    total: int | None = None
    allocated: int | None = None
    """``None``: not tried."""
    reason: str | None = None
    """Why it was not tried: ``busy`` or ``shared`` with the machine."""


@dataclass(frozen=True, slots=True)
class Computation:
    """A matrix product on one device, in a process of its own."""

    device: str
    """``cpu``, a UUID of nvidia-smi, or an index."""
    outcome: Outcome
    float32: float | None = None
    """The largest difference from the CPU's result in double precision, by its largest number; ``None``: no number."""
    bfloat16: float | None = None
    bfloat16_done: bool = False
    first_seconds: float | None = None
    """The first product, with the loading of libraries and, from PTX, their compilation."""
    again_seconds: float | None = None
    memory: Memory | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """Data that went between GPUs."""

    what: str
    """``copy`` or ``all-reduce``."""
    outcome: Outcome
    wrong: tuple[tuple[int, int], ...] = ()
    """From and to which GPU something else arrived than was sent."""


@dataclass(frozen=True, slots=True)
class Framework:
    """Everything about one framework."""

    name: str
    outcome: Outcome
    """Of importing it and asking for its description."""
    description: Description | None
    computations: tuple[Computation, ...] = ()
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class FrameworkReport:
    """What the script found."""

    python: str
    prefix: str
    frameworks: tuple[Framework, ...]
    seconds: float | None = None


def identities(gpus: GpuFacts) -> tuple[str, ...]:
    """Return what CUDA_VISIBLE_DEVICES takes for each device that CUDA can use: MIG devices instead of a split GPU."""
    whole = (
        one.uuid for one in gpus.gpus if one.vendor == "nvidia" and one.uuid and not (one.mig and gpus.mig_devices)
    )
    return (*whole, *gpus.mig_devices)


def question(gpus: GpuFacts, *, timeout: float = 120.0, total: float = 900.0) -> bytes:
    """Return the script's stdin.

    Args:
        gpus: What nvidia-smi said.
        timeout: Seconds that one child may take: an import and a product, or an exchange.
        total: Seconds for all.
    """
    asked = {
        "frameworks": list(NAMES),
        "gpus": list(identities(gpus)),
        "busy": _in_use(gpus),
        "accelerator": bool(gpus.gpus or gpus.amd or gpus.ascend),
        "timeout": timeout,
        "total": total,
    }
    return json.dumps(asked, sort_keys=True).encode()


def _in_use(gpus: GpuFacts) -> list[str]:
    # nvidia-smi tells the use of a split GPU, not of the devices that MIG makes of it.
    split = gpus.mig_devices if any(one.mig and _busy(one) for one in gpus.gpus) else ()
    return [*(one.uuid for one in gpus.gpus if _busy(one)), *split]


def _busy(gpu: Gpu) -> bool:
    """Whether so much memory is used, or perhaps used, that a program at work may need the rest too."""
    if gpu.memory_mib is None or gpu.memory_used_mib is None:
        return True
    return gpu.memory_used_mib > max(_USED_MIB, gpu.memory_mib // 20)


def parse_report(output: bytes, nonce: str) -> FrameworkReport:
    """Return the report that follows the nonce.

    Raises:
        ValueError: There is none, or it is none of ours; the message is one line.
    """
    start = f"{nonce} ".encode()
    found = [line for line in output.splitlines() if line.startswith(start)]
    if not found:
        raise ValueError("the check ended without a report")
    answer = document(found[-1][len(start) :].decode("utf-8", "replace"))
    if answer.get("format") != _FORMAT:
        raise ValueError("the report has another format")
    try:
        return FrameworkReport(
            python=_text(answer["python"]),
            prefix=_text(answer["prefix"]),
            frameworks=tuple(_framework(one) for one in _list(answer["frameworks"])),
            seconds=_number(answer.get("seconds")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the report cannot be read: {error!r}") from error


def _framework(one: dict[str, Any]) -> Framework:
    outcome = _outcome(one["describe"])
    return Framework(
        name=_text(one["name"]),
        outcome=outcome,
        description=_description(one["describe"]["values"]) if outcome.ok else None,
        computations=tuple(_computation(each) for each in _list(one["compute"])),
        exchanges=tuple(_exchange(each) for each in _list(one["exchange"])),
    )


def _outcome(one: dict[str, Any]) -> Outcome:
    warned = [Said(_text(each["text"]), _text(each["category"])) for each in _list(one["warnings"])]
    return Outcome(
        ok=one["ok"] is True,
        error=_optional(one.get("error")),
        slow=one.get("slow") is True,
        linked=one.get("linked") is True,
        seconds=_number(one.get("seconds")),
        said=(*warned, *(Said(_line(each)) for each in _list(one["output"]))),
    )


def _description(one: dict[str, Any]) -> Description:
    return Description(
        version=_text(one["version"]),
        kind=_text(one["kind"]),
        cuda=_optional(one.get("cuda")),
        hip=_optional(one.get("hip")),
        cudnn=_optional(one.get("cudnn")),
        nccl=_optional(one.get("nccl")),
        architectures=tuple(_text(each) for each in _list(one.get("architectures") or [])),
        count=_whole(one["count"]) or 0,
        devices=tuple(
            Device(
                name=_optional(each.get("name")),
                capability=_optional(each.get("capability")),
                architecture=_optional(each.get("architecture")),
                memory=_whole(each.get("memory")),
            )
            for each in _list(one["devices"])
        ),
        visible=_optional(one.get("visible")),
        error=_optional(one.get("error")),
    )


def _computation(one: dict[str, Any]) -> Computation:
    outcome = _outcome(one)
    values = one["values"] if outcome.ok else {}
    return Computation(
        device=_text(one["id"]),
        outcome=outcome,
        float32=_number(values.get("float32")),
        bfloat16=_number(values.get("bfloat16")),
        bfloat16_done="bfloat16" in values,
        first_seconds=_number(values.get("first_seconds")),
        again_seconds=_number(values.get("again_seconds")),
        memory=_memory(values["memory"]) if values.get("memory") else None,
    )


def _memory(one: dict[str, Any]) -> Memory | None:
    free = _whole(one["free"])
    if free is None:
        return None
    allocated = _whole(one.get("allocated"))
    return Memory(free, _whole(one.get("total")), allocated, _optional(one.get("reason")))


def _exchange(one: dict[str, Any]) -> Exchange:
    outcome = _outcome(one)
    wrong = _list(one["values"]["wrong"]) if outcome.ok else []
    return Exchange(
        what=_text(one["what"]),
        outcome=outcome,
        wrong=tuple((_whole(source) or 0, _whole(target) or 0) for source, target in wrong),
    )


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    if len(value) > _MOST:
        raise ValueError("the report has more entries than the script writes")
    return value


def _line(value: Any) -> str:
    """Keep the space in front: it tells a line that goes on from one that begins."""
    if not isinstance(value, str):
        raise TypeError("a text was expected")
    return value.rstrip()[:_LONGEST]


def _text(value: Any) -> str:
    return " ".join(_line(value).split())


def _optional(value: Any) -> str | None:
    """Return a text; versions come as numbers too."""
    if value is None:
        return None
    return str(value)[:_LONGEST] if isinstance(value, int) and abs(value) < _LARGEST else _text(value)


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) >= _LARGEST:
        raise ValueError("a number was expected")
    return float(value) if math.isfinite(value) else None


def _whole(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST:
        raise ValueError("a whole number was expected")
    return value
