"""AMD and Ascend beside NVIDIA: who is judged, what differs in words, and what is said of both. Not run on hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.gpu.amd import amd_absent, amd_health
from provision.gpu.ascend import ascend_absent, ascend_health
from provision.gpu.readings import which
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.model.facts import Gpu, GpuFacts, OtherVendor
    from provision.model.host import Expect

NAMES = {"nvidia": "NVIDIA", "amd": "AMD", "ascend": "Ascend"}
_ABSENT = {"amd": amd_absent, "ascend": ascend_absent}
_HEALTH = {"amd": amd_health, "ascend": ascend_health}
_LOST = {
    "amd": "sudo dmesg | grep -i amdgpu",
    "ascend": "npu-smi info -l; sudo dmesg | grep -i davinci",
}


def nvidia_concerned(gpu: GpuFacts) -> bool:
    """Whether NVIDIA's driver is to be judged: something of NVIDIA's is there, or nothing of anybody's."""
    on_bus = any(device.startswith("10de:") for device in gpu.pci_devices)
    cards = any(one.vendor == "nvidia" for one in gpu.gpus)
    return cards or on_bus or gpu.driver_loaded is not None


def vendor_findings(gpu: GpuFacts, expect: Expect) -> Iterator[Finding]:
    """Judge what is of another maker than NVIDIA."""
    for other in gpu.others:
        cards = [one for one in gpu.gpus if one.vendor == other.vendor]
        if cards:
            yield _documented(other)
            yield from _rejected(other)
            for card in cards:
                yield from _HEALTH[other.vendor](card)
        elif _to_judge(gpu, other, expect):
            yield from _ABSENT[other.vendor](other)
    yield from _nvidia_only(gpu, expect)


def others_concerned(gpu: GpuFacts, expect: Expect) -> bool:
    """Whether something of another maker is there that `vendor_findings` speaks of."""
    return any(
        any(one.vendor == other.vendor for one in gpu.gpus) or _to_judge(gpu, other, expect) for other in gpu.others
    )


def lost_fix(gpus: tuple[Gpu, ...]) -> str:
    """Return the command that shows why a card is not there any more."""
    return next((_LOST[one.vendor] for one in gpus if one.vendor in _LOST), "sudo dmesg | grep -i xid")


def reset_fix(gpu: Gpu) -> str:
    """Return the command that resets a card."""
    if gpu.vendor == "nvidia":
        return f"sudo nvidia-smi --gpu-reset{which(gpu)}"
    if gpu.vendor == "amd":
        return "sudo amd-smi reset --gpureset" + ("" if gpu.index is None else f" --gpu {gpu.index}")
    return "sudo reboot"


def _to_judge(gpu: GpuFacts, other: OtherVendor, expect: Expect) -> bool:
    """Whether a maker without a usable card is worth a word: its device is there, or its tool failed on its own."""
    # Beside NVIDIA's card a silent device is the processor's own GPU far more often than a card that is meant.
    if nvidia_concerned(gpu):
        return False
    if other.devices:
        return True
    if other.integrated:
        return False
    # A machine booted without its cards has tools that fail as well: that is GPU-UNPROVEN.
    booted_without = not other.node and (expect.gpus is not None or expect.cuda is not None)
    return other.tool is not None and not booted_without


def _documented(other: OtherVendor) -> Finding:
    return Finding(
        "GPU-UNPROVEN",
        Severity.INFO,
        f"{NAMES[other.vendor]} devices are judged by the documented output of {other.tool or 'their tool'};"
        " provision was not run on such hardware: compare with what the tool itself shows",
    )


def _rejected(other: OtherVendor) -> Iterator[Finding]:
    if other.rejected:
        yield Finding(
            "GPU-READING-FAILED",
            Severity.WARNING,
            f"this version of {other.tool} does not know {', '.join(other.rejected)}: memory errors may stay unseen",
            fix="update ROCm with its amd-smi-lib",
        )
    if other.missing_groups:
        groups = ",".join(other.missing_groups)
        yield Finding(
            "GPU-READING-FAILED",
            Severity.WARNING,
            f"the login is not in the groups {groups}, which own the GPU's device files:"
            " programs may see no GPU, and some readings are missing",
            fix=f'sudo usermod -aG {groups} "$USER"   (then log in again)',
        )


def _nvidia_only(gpu: GpuFacts, expect: Expect) -> Iterator[Finding]:
    """Conditions on NVIDIA's driver can be met by no other maker's."""
    makers = sorted({NAMES[one.vendor] for one in gpu.gpus})
    if not makers or "NVIDIA" in makers:
        return
    for name, value in (("cuda", expect.cuda), ("driver", expect.driver)):
        if value is not None:
            yield Finding(
                "GPU-DRIVER-OLD",
                Severity.ERROR,
                f"`expect.{name}: {value}` is about NVIDIA's driver, and this host has {' and '.join(makers)} devices:"
                " no driver of theirs can meet it",
                fix=f"take `{name}` out of `expect` in hosts.yaml, or correct the host's address",
            )
