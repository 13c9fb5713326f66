"""What a framework did on each GPU, and between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.environment.deepcheck import known_fix
from provision.environment.frameworks.causes import CAUSES, COLLECTIVE_CAUSES, Cause, cause
from provision.environment.frameworks.said import called, folded, last_words
from provision.gpu.readings import which
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.environment.frameworks.report import Computation, Exchange, Framework
    from provision.model.facts import GpuFacts

FLOAT32_TOLERANCE = 1e-4
"""Sums of 1024 products differ by less than 1e-6 in single precision, and by about 4e-4 with TF32, which is off."""
BFLOAT16_TOLERANCE = 2e-2
"""Its eight bits gave up to 7e-3 on CPUs."""
LEAST_MEMORY = 0.7
"""Of what is free; the script asks for 0.9 of it."""
_GIB = 1 << 30


def proven(one: Computation) -> bool:
    """Whether a device computed what it should."""
    return one.outcome.ok and all(within for _, within in _differences(one))


def computations(framework: Framework, gpus: GpuFacts) -> Iterator[Finding]:
    """Judge what came of the matrix products and the memory."""
    yield from _nothing(framework)
    failures: dict[str, list[str]] = {}
    for one in framework.computations:
        if not one.outcome.ok:
            failures.setdefault((one.outcome.error or "no reason was given") + last_words(one.outcome), []).append(
                _place(one, gpus)
            )
    for text, places in failures.items():
        known = cause(text)
        yield Finding(
            "FRAMEWORK-FAILED",
            Severity.ERROR,
            f"{called(framework)} does not compute on {', '.join(places)}: {text}"
            + (f": {known.meaning}" if known else ""),
            (known.fix if known else None) or known_fix(text),
        )
    for one in framework.computations:
        if one.outcome.ok:
            yield from _results(framework, one, _place(one, gpus), gpus)
            yield from _memory(framework, one, _place(one, gpus))


def _nothing(framework: Framework) -> Iterator[Finding]:
    """Judge a build that does not say what it is for, and sees GPUs: none of them was computed on."""
    description = framework.description
    if description is None or description.kind != "cpu" or not description.count:
        return
    yield Finding(
        "FRAMEWORK-FAILED",
        Severity.ERROR,
        f"{called(framework)} sees {description.count} GPUs and computes on none of them: it does not say which GPUs it"
        " was built for",
        f"install another version of {framework.name}",
    )


def _place(one: Computation, gpus: GpuFacts) -> str:
    if one.device == "cpu":
        return "the CPU"
    index = next((gpu.index for gpu in gpus.gpus if gpu.uuid == one.device), None)
    return f"GPU {one.device if index is None else index}"


def _option(one: Computation, gpus: GpuFacts) -> str:
    card = next((gpu for gpu in gpus.gpus if gpu.uuid == one.device), None)
    return which(card) if card is not None else ""


def _differences(one: Computation) -> Iterator[tuple[str, bool]]:
    yield "float32", one.float32 is not None and one.float32 <= FLOAT32_TOLERANCE
    if one.bfloat16_done:
        yield "bfloat16", one.bfloat16 is not None and one.bfloat16 <= BFLOAT16_TOLERANCE


def _results(framework: Framework, one: Computation, place: str, gpus: GpuFacts) -> Iterator[Finding]:
    for number, within in _differences(one):
        if not within:
            difference = one.float32 if number == "float32" else one.bfloat16
            shown = "is no number" if difference is None else f"differs by {difference:.1e} from the CPU's"
            yield Finding(
                "FRAMEWORK-WRONG-RESULT",
                Severity.ERROR,
                f"{called(framework)} computes wrongly on {place}: a matrix product in {number} {shown}",
                f"sudo nvidia-smi --gpu-reset{_option(one, gpus)}   (where it comes back, the GPU is broken: ask for"
                " another machine)"
                if one.device != "cpu"
                else "ask for another machine: its processor computes wrongly",
            )


def _memory(framework: Framework, one: Computation, place: str) -> Iterator[Finding]:
    memory = one.memory
    if memory is None or memory.allocated is None or memory.allocated >= LEAST_MEMORY * memory.free:
        return
    yield Finding(
        "FRAMEWORK-MEMORY",
        Severity.WARNING,
        f"{called(framework)} could allocate {memory.allocated / _GIB:.1f} GiB on {place},"
        f" where {memory.free / _GIB:.1f} GiB are said to be free",
        "nvidia-smi   (it names the processes that hold memory)",
    )


def exchanges(framework: Framework) -> Iterator[Finding]:
    """Judge what came of the data that went between GPUs."""
    for one in framework.exchanges:
        if one.outcome.ok and not one.wrong:
            continue
        yield _exchange(framework, one)


def _exchange(framework: Framework, one: Exchange) -> Finding:
    what = "a copy between GPUs" if one.what == "copy" else "an all-reduce over the GPUs"
    if one.outcome.ok:
        pairs = ", ".join(f"{source} to {target}" for source, target in one.wrong)
        text = f"other data arrived than was sent ({pairs})" if one.what == "copy" else "the sum is wrong"
        fix: str | None = "export NCCL_P2P_DISABLE=1   (the cause is often the IOMMU or PCIe ACS: switch them off)"
    else:
        lines = [line for line in folded(one.outcome.said) if "NCCL WARN" in line]
        text = f"{one.outcome.error or 'no reason was given'}" + (f" ({lines[-1]})" if lines else "")
        known = _collective_cause(text)
        text, fix = (f"{text}: {known.meaning}", known.fix) if known else (text, None)
    return Finding(
        "FRAMEWORK-COLLECTIVE",
        Severity.ERROR,
        f"{called(framework)}: {what} failed: {text}",
        fix or "export NCCL_DEBUG=INFO   (it shows how far the exchange comes)",
    )


def _collective_cause(text: str) -> Cause | None:
    return cause(text, COLLECTIVE_CAUSES) or cause(text, CAUSES)
