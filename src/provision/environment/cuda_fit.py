"""Whether the CUDA that an environment needs goes with the host's driver and cards."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.environment.cuda_pin import pin, pin_with_newer_driver
from provision.gpu.cuda import Fit, compiles_for, fit, needed_driver, newest_cuda, oldest_driver, span
from provision.gpu.wheels import find, has_code_for
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.environment.cuda_wanted import CudaDemand
    from provision.model.facts import GpuFacts

BUILD_ANYWAY = frozenset({"CUDA-TOO-NEW", "CUDA-ARCH", "WHEEL-NO-ARCH"})
"""Findings that stop a build for the money it would waste, and that the user may overrule."""
_DATA_CENTRE = re.compile(
    r"\b(Tesla|A2|A10[GM]?|A16|A30X?|A40|A100X?|A800|H20|H100|H200|H800|GH200|L2|L4|L20|L40[SG]?"
    r"|B100|B200|B300|GB200|GB300|V100S?|T4G?|P4|P40|P100|K80|M40|M60)\b"
)
"""Names of cards on which cuda-compat works."""


def cuda_findings(demands: Sequence[CudaDemand], gpu: GpuFacts) -> Iterator[Finding]:
    """Judge what the lines of an environment file need; without a driver there is nothing to judge."""
    cards = sorted({one.compute_capability for one in gpu.gpus if one.compute_capability})
    if gpu.driver is None:
        return
    data_centre = bool(gpu.gpus) and all(_DATA_CENTRE.search(one.name or "") for one in gpu.gpus)
    for demand in demands:
        compat = demand.compat and data_centre
        for found in (_driver(demand, gpu.driver, cards, compat=compat), _cards(demand, gpu.driver, cards)):
            if found is not None:
                yield found


def _driver(demand: CudaDemand, driver: str, cards: Sequence[str], *, compat: bool) -> Finding | None:
    fits: dict[str, Fit] = {}
    for toolkit in demand.toolkits:
        try:
            fits[toolkit] = fit(toolkit, driver)
        except ValueError:
            return None
    if any(one in {Fit.FULL, Fit.UNKNOWN} for one in fits.values()):
        return None
    toolkit = demand.toolkits[-1]
    serves = newest_cuda(driver)
    needs = f"{demand.text} needs CUDA {toolkit}"
    has = f"driver {driver} serves " + (f"CUDA {serves} at most" if serves else "CUDA below 11.0 only")
    if any(one is Fit.LIMITED for one in fits.values()):
        return Finding(
            "CUDA-LIMITED",
            Severity.WARNING,
            f"{needs}, {has}: it starts by minor-version compatibility, and what must first be compiled from PTX fails",
            fix=_or_driver(pin(demand, driver, cards, full=True), needed_driver(toolkit)),
        )
    instead = pin(demand, driver, cards)
    oldest = oldest_driver(toolkit) or needed_driver(toolkit)
    # A newer driver alone would not help a card that this CUDA leaves out.
    both = None if instead or _cards(demand, driver, cards) is None else _with_newer_driver(demand, cards)
    vain = ", so it would be downloaded in vain" if demand.pip else ""
    ends = "it starts there only where cuda-compat is found first" if compat else f"it does not start there{vain}"
    return Finding(
        "CUDA-TOO-NEW",
        Severity.ERROR if demand.certain and not compat else Severity.WARNING,
        f"{needs}, {has}: {ends}",
        fix=both or _or_driver(instead, oldest),
    )


def _or_driver(instead: str | None, driver: str | None) -> str:
    newer = f"install driver {driver} or newer" if driver else "install a newer driver"
    return f"{instead}   (or {newer})" if instead else newer


def _with_newer_driver(demand: CudaDemand, cards: Sequence[str]) -> str | None:
    found = pin_with_newer_driver(demand, cards)
    return found and f"install driver {found[1]} or newer, and {found[0]}"


def _instead(demand: CudaDemand, driver: str, cards: Sequence[str]) -> str | None:
    return pin(demand, driver, cards) or _with_newer_driver(demand, cards)


def _cards(demand: CudaDemand, driver: str, cards: Sequence[str]) -> Finding | None:
    for card in cards:
        wheel = find(demand.torch, demand.tag) if demand.torch and demand.tag else None
        if wheel is not None and not has_code_for(wheel.architectures, card):
            return _no_code(demand, wheel.ptx, card, driver, cards)
        if all(compiles_for(toolkit, card) is False for toolkit in demand.toolkits):
            return _not_compiled(demand, card, driver, cards)
    return None


def _no_code(demand: CudaDemand, ptx: str | None, card: str, driver: str, cards: Sequence[str]) -> Finding:
    if ptx is not None and _key(ptx) <= _key(card):
        return Finding(
            "WHEEL-PTX-ONLY",
            Severity.WARNING,
            f"{demand.text} has no machine code for compute capability {card}: its PTX is compiled at first use",
            fix=_instead(demand, driver, cards),
        )
    return Finding(
        "WHEEL-NO-ARCH",
        Severity.ERROR if demand.certain else Severity.WARNING,
        f"{demand.text} has no code for compute capability {card}: it fails with 'no kernel image is available'",
        fix=_instead(demand, driver, cards),
    )


def _not_compiled(demand: CudaDemand, card: str, driver: str, cards: Sequence[str]) -> Finding:
    newest = demand.toolkits[0]
    limits = span(card)
    dropped = limits is not None and limits[1] is not None and _key(demand.toolkits[-1]) > _key(limits[1])
    bound = limits and (limits[1] if dropped else limits[0])
    # Who is too old for a card may still carry PTX that the driver compiles; PyTorch's wheels do not.
    sure = demand.certain and (dropped or demand.tag is not None)
    return Finding(
        "CUDA-ARCH",
        Severity.ERROR if sure else Severity.WARNING,
        f"{demand.text} means CUDA {newest}, which "
        + (f"no longer supports compute capability {card} (the last is {bound})" if dropped else "")
        + (f"does not know compute capability {card} yet (the first is {bound})" if not dropped else ""),
        fix=_instead(demand, driver, cards),
    )


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
