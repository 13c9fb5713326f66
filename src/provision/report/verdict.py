"""What is thought of a finished host, in one line: ``fit: ...`` with what it is, or ``unfit: ...`` and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provision.model.plan import Outcome
from provision.report.amounts import counted
from provision.report.asked import in_use
from provision.report.display import one_line, shortened, without_name
from provision.report.proofs import COMPUTED, proof

if TYPE_CHECKING:
    from provision.model.facts import EnvironmentFacts, Facts, GpuFacts
    from provision.report.asked import Asked
    from provision.report.fold import HostReport

FIT, UNFIT = "fit: ", "unfit: "
HUNG = 124
"""Exit code of a maker's tool that did not end."""
_REFUSED = "nothing was changed"
_MIB_PER_GIB = 1024
_MOST = 4
_LONGEST = 200
"""Characters of a record that are shown: anybody may have written it."""
_MAKERS = {"amd": "AMD", "ascend": "Ascend"}


def verdict_line(host: HostReport) -> str | None:
    """Return the verdict on a host; ``None`` where it was not judged: not reached, or stopped on the way."""
    if not host.finished:
        return None
    if host.outcome is Outcome.UNFIT:
        return f"{UNFIT}{_why(host)}"
    if host.outcome in {Outcome.CONVERGED, Outcome.CHANGED} and host.facts is not None:
        return f"{FIT}{fact_line(host.facts, host.asked)}"
    return None


def fact_line(facts: Facts, asked: tuple[Asked, ...] | None = None) -> str:
    """Return ``1x NVIDIA A10 (22.0 GiB), driver 550.54, environment mymodel 1-3f2a91bc``, as far as it is there.

    Args:
        facts: What the host was last seen to be.
        asked: The environments that the run is about; ``None``: all that are in use there.
    """
    used = in_use(facts, asked)
    others = len(in_use(facts, None)) - len(used)
    more = [f"and {counted(others, 'other environment')}"] if others else []
    return ", ".join((*_gpus(facts.gpu), *_computed(facts, used), *_environments(used), *more))


def _why(host: HostReport) -> str:
    error = host.error
    refused = error is not None and error.message.startswith(f"{_REFUSED}: ")
    if host.errors:
        text = host.errors[0].message
    else:
        text = without_name(error.message, host.name).removeprefix(f"{_REFUSED}: ") if error is not None else "unknown"
    more = len(host.errors) - 1
    remarks = [_REFUSED] if refused else []
    remarks += [f"and {counted(more, 'other error')}"] if more > 0 else []
    return one_line(text) + (f" ({', '.join(remarks)})" if remarks else "")


def _gpus(gpu: GpuFacts) -> list[str]:
    if not gpu.gpus:
        if gpu.nvidia_smi == HUNG:
            return ["GPUs unknown: nvidia-smi hangs"]
        traces = "AMD" if gpu.amd else "Ascend" if gpu.ascend else None
        return [f"no GPU that can be used (traces of {traces})" if traces else "no GPU"]
    kinds = Counter((one.name, one.memory_mib) for one in gpu.gpus)
    cards = [
        f"{number}x {one_line(name) or 'unreadable'}" + (f" ({memory / _MIB_PER_GIB:.1f} GiB)" if memory else "")
        for (name, memory), number in kinds.items()
    ]
    serves = f" serves CUDA {one_line(gpu.cuda)}" if gpu.cuda else ""
    driver = [f"driver {one_line(gpu.driver)}{serves}"] if gpu.driver else []
    return [" + ".join(cards), *driver, *_other_drivers(gpu)]


def _other_drivers(gpu: GpuFacts) -> list[str]:
    """Return ``AMD driver 6.16.13 (not run on hardware)`` for each maker whose tool is known from documents alone."""
    there = {one.vendor for one in gpu.gpus}
    return [
        " ".join(filter(None, (_MAKERS.get(one.vendor, one.vendor), "driver", one_line(one.driver or ""))))
        + " (not run on hardware)"
        for one in gpu.others
        if one.vendor in there
    ]


def _computed(facts: Facts, used: list[EnvironmentFacts]) -> list[str]:
    """What was seen to compute in these environments, under all that holds now."""
    records = [proof(facts, one, COMPUTED) for one in used]
    words = [one.get("summary") or one.get("without") for one in records if one is not None]
    said = [_short(one) for one in words if isinstance(one, str)]
    return list(dict.fromkeys(said))[:_MOST]


def _short(text: str) -> str:
    # Cut before it is measured, which takes time for each character; made safe, each may become ten.
    return shortened(one_line(text[: _LONGEST + 1]), _LONGEST)


def _environments(used: list[EnvironmentFacts]) -> list[str]:
    named = [f"environment {one_line(one.name)} {one_line(one.current or '')}" for one in used]
    return named if len(named) <= _MOST else [*named[:_MOST], f"{len(named) - _MOST} more environments"]
