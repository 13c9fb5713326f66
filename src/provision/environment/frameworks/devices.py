"""What a framework was built for, and which GPUs it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.environment.frameworks.causes import cause
from provision.environment.frameworks.report import identities
from provision.environment.frameworks.said import called, messages
from provision.gpu.code import Code, code_for, code_for_amd
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.environment.frameworks.report import Description, Framework
    from provision.model.facts import GpuFacts

VISIBLE = {"cuda": "CUDA_VISIBLE_DEVICES", "hip": "HIP_VISIBLE_DEVICES", "npu": "ASCEND_RT_VISIBLE_DEVICES"}
"""The variable that hides devices from a build of each kind."""

_HIDING = frozenset({"", "-1", "NoDevFiles"})
"""First entries after which CUDA sees no device; what follows an entry that it does not know is ignored."""
_SHOWN_ARCHITECTURES = 12


def accelerated(gpus: GpuFacts) -> bool:
    """Whether the host shows a GPU of any maker."""
    return bool(gpus.gpus or gpus.amd or gpus.ascend)


def cpu_build(framework: Framework, description: Description, *, expect_gpu: bool, chosen: bool) -> Iterator[Finding]:
    """Judge a build that cannot use a GPU."""
    if not expect_gpu or description.kind != "cpu" or description.count:
        return
    # A torch that was asked for so is told when the packages are read back; once is enough.
    if not chosen or framework.name != "torch":
        yield Finding(
            "ENV-CPU-BUILD",
            Severity.WARNING if chosen else Severity.ERROR,
            f"{called(framework)} was built for the CPU, on a host whose GPU is meant to be used",
            f"ask for the CUDA build of {framework.name} in environment.yml",
        )


def no_device(framework: Framework, description: Description, gpus: GpuFacts) -> Iterator[Finding]:
    """Judge a build for GPUs that sees none, where there are some."""
    if description.count or description.kind == "cpu" or not accelerated(gpus):
        return
    blind = f"{called(framework)} sees no GPU"
    variable = VISIBLE.get(description.kind, "CUDA_VISIBLE_DEVICES")
    makers = {one.vendor for one in gpus.gpus}
    if description.kind == "cuda" and "nvidia" not in makers:
        maker = "an AMD GPU" if gpus.amd or "amd" in makers else "an Ascend NPU"
        message = f"{blind}: it was built for CUDA, and the host has {maker}"
        yield Finding("FRAMEWORK-NO-DEVICE", Severity.ERROR, message, f"install {framework.name}'s build for it")
    elif description.visible is not None and description.visible.partition(",")[0].strip() in _HIDING:
        message = f"{blind}: {variable} is set to {description.visible!r}, which hides them all"
        fix = f"unset {variable}   (look in ~/.bashrc, /etc/environment and `env` of hosts.yaml)"
        yield Finding("FRAMEWORK-NO-DEVICE", Severity.ERROR, message, fix)
    else:
        text = _evidence(framework, description)
        known = cause(text)
        message = f"{blind}: {known.meaning} ({text})" if known else f"{blind}: {text or 'it does not say why'}"
        yield Finding("FRAMEWORK-NO-DEVICE", Severity.ERROR, message, known.fix if known else None)


def _evidence(framework: Framework, description: Description) -> str:
    """Return the text that says most of why no GPU is seen: one with a known cause, else the error, else the last."""
    said = messages(framework, gpu=True)
    texts = said if description.error is None else (description.error, *said)
    known = [(text, found) for text in texts if (found := cause(text)) is not None]
    if known:
        return next((text for text, found in known if not found.vague), known[0][0])
    return description.error or (said[-1] if said else "")


def architectures(framework: Framework, description: Description, gpus: GpuFacts) -> Iterator[Finding]:
    """Judge whether the build holds code for each kind of GPU here."""
    seen: dict[tuple[str, str], Code] = {}
    if description.kind == "cuda":
        for gpu in gpus.gpus:
            if gpu.compute_capability:
                code = code_for(description.architectures, gpu.compute_capability)
                seen[gpu.name or "the GPU", gpu.compute_capability] = code
    elif description.kind == "hip":
        for device in description.devices:
            code = code_for_amd(description.architectures, device.architecture)
            seen[device.name or "the GPU", device.architecture or ""] = code
    listed = " ".join(description.architectures[:_SHOWN_ARCHITECTURES])
    for (name, capability), code in seen.items():
        if code is Code.NONE:
            yield Finding(
                "WHEEL-NO-ARCH",
                Severity.ERROR,
                f"{called(framework)} holds no code for {name} ({capability}); it was built for {listed}",
                _other_build(framework, description, capability),
            )
        elif code is Code.PTX:
            yield Finding(
                "WHEEL-PTX-ONLY",
                Severity.WARNING,
                f"{called(framework)} holds only PTX for {name} ({capability}): it is compiled at the first run, which"
                " takes minutes, and needs a driver as new as the build's CUDA",
                f"install a build of {framework.name} for a newer CUDA",
            )


def _other_build(framework: Framework, description: Description, capability: str) -> str:
    if description.kind != "cuda":
        return f"install a build of {framework.name} for this GPU"
    return (
        f"install a build of {framework.name} for {'an older' if _too_old(description, capability) else 'a newer'} CUDA"
    )


def _too_old(description: Description, capability: str) -> bool:
    """Whether every architecture of the build is newer than the GPU."""
    numbers = [
        int(digits) for one in description.architectures if (digits := one.rpartition("_")[2].rstrip("af")).isdigit()
    ]
    major, _, minor = capability.partition(".")
    return bool(numbers) and major.isdigit() and minor.isdigit() and int(major) * 10 + int(minor) < min(numbers)


def count(framework: Framework, description: Description, gpus: GpuFacts) -> Iterator[Finding]:
    """Judge whether it sees as many GPUs as their maker's tool shows."""
    expected, tool, fix = _listed(description, gpus)
    # Only NVIDIA's tool is known to count as the frameworks do, wherever they count more than it.
    same = description.count == expected or (description.kind != "cuda" and description.count > expected)
    if not description.count or not expected or same:
        return
    shown = f"{called(framework)} sees {description.count} GPUs, {tool} {expected}"
    if description.visible is not None:
        variable = VISIBLE[description.kind]
        message = f"{shown}: {variable} is set to {description.visible!r}"
        yield Finding("FRAMEWORK-DEVICES", Severity.WARNING, message, f"unset {variable}")
    else:
        fewer = description.count < expected
        yield Finding("FRAMEWORK-DEVICES", Severity.ERROR if fewer else Severity.WARNING, shown, fix if fewer else None)


def _listed(description: Description, gpus: GpuFacts) -> tuple[int, str, str]:
    """Return how many GPUs of the build's maker there are, the tool that shows them, and where to look for the rest."""
    if description.kind == "cuda":
        # A process sees one of the devices that MIG makes, and no other.
        return (1 if gpus.mig_devices else len(identities(gpus))), "nvidia-smi", "sudo dmesg | grep -i xid"
    vendor = {"hip": "amd", "npu": "ascend"}.get(description.kind)
    there = sum(one.vendor == vendor for one in gpus.gpus)
    if vendor == "amd":
        return there, "the driver's tool", "sudo dmesg | grep -i amdgpu"
    return there, "npu-smi", "npu-smi info"
