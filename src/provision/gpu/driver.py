"""Whether the driver works at all: no GPU visible, no driver or the wrong one loaded, nvidia-smi in error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.gpu.exit_codes import failed_whole
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.model.facts import GpuFacts
    from provision.model.host import Expect

_NVIDIA = "10de:"
_HUNG = 124
_NOT_LOADED = 9
_MISMATCH = 18
_NO_DEVICES = 6
_WORKS = frozenset({0, 14})


def driver_findings(gpu: GpuFacts, expect: Expect) -> Iterator[Finding]:
    """Judge everything that stands between the machine and its GPUs."""
    if _pending(gpu):
        yield _mismatch(gpu)
    elif _sees_none(gpu):
        yield _invisible(gpu, expect)
    elif gpu.nvidia_smi == _HUNG:
        yield Finding(
            "GPU-HUNG",
            Severity.ERROR,
            "nvidia-smi did not answer in time and was ended: a GPU or its driver hangs (often Xid 119)",
            fix="sudo reboot",
        )
    elif gpu.nvidia_smi == _NOT_LOADED:
        yield _not_loaded(gpu, expect)
    elif gpu.nvidia_smi not in _WORKS:
        yield failed_whole(gpu.nvidia_smi, gpu.message)
    elif gpu.nvidia_smi == 14:  # noqa: PLR2004 - NVIDIA's number
        yield Finding(
            "GPU-INFOROM",
            Severity.WARNING,
            "nvidia-smi says that a GPU's infoROM is corrupt: it works, and the vendor should be told",
        )


def _sees_none(gpu: GpuFacts) -> bool:
    if gpu.nvidia_smi is None or gpu.nvidia_smi == _NO_DEVICES:
        return True
    none_bound = "No supported GPUs were found" in (gpu.message or "")
    return none_bound or (gpu.nvidia_smi in _WORKS and not gpu.gpus)


def _pending(gpu: GpuFacts) -> bool:
    apart = gpu.driver_loaded and gpu.driver_installed and gpu.driver_loaded != gpu.driver_installed
    return gpu.nvidia_smi == _MISMATCH or bool(apart)


def _mismatch(gpu: GpuFacts) -> Finding:
    versions = ""
    if gpu.driver_loaded and gpu.driver_installed and gpu.driver_loaded != gpu.driver_installed:
        versions = f": {gpu.driver_loaded} is loaded, {gpu.driver_installed} is installed"
    broken = gpu.nvidia_smi not in _WORKS
    return Finding(
        "GPU-DRIVER-MISMATCH",
        Severity.ERROR if broken else Severity.WARNING,
        f"the NVIDIA driver was exchanged while it ran{versions}"
        + ("; no new program can use the GPU until a restart, running ones go on" if broken else "; a restart is due")
        + " (usually unattended-upgrades)",
        fix="sudo reboot",
    )


def _not_loaded(gpu: GpuFacts, expect: Expect) -> Finding:
    if not _on_the_bus(gpu) and gpu.driver_loaded is None and (expect.gpus is not None or expect.cuda is not None):
        return _unproven(expect)
    return Finding(
        "GPU-DRIVER-NOT-LOADED",
        Severity.ERROR,
        f"the NVIDIA driver is {_installed(gpu)} and not loaded (nvidia-smi: exit code 9):"
        " after a new kernel its module must be built again",
        fix="sudo modprobe nvidia",
    )


def _installed(gpu: GpuFacts) -> str:
    return f"installed ({gpu.driver_installed})" if gpu.driver_installed else "installed in part"


def _invisible(gpu: GpuFacts, expect: Expect) -> Finding:
    if _on_the_bus(gpu):
        tools = "there is no nvidia-smi" if gpu.nvidia_smi is None else "nvidia-smi shows no GPU"
        return Finding(
            "GPU-MISSING",
            Severity.ERROR,
            f"an NVIDIA GPU is on the PCI bus ({', '.join(_on_the_bus(gpu)[:8])}) and {tools}{_said(gpu)}:"
            " the driver is missing, or the container was started without the GPU",
            fix="sudo apt-get install nvidia-driver-570-server   (in a container: docker run --gpus all ...)",
        )
    if expect.gpus is not None or expect.cuda is not None:
        return _unproven(expect)
    other = gpu.amd or gpu.ascend
    if other:
        kind = "an AMD" if gpu.amd else "an Ascend"
        return Finding(
            "GPU-MISSING",
            Severity.ERROR,
            f"no NVIDIA GPU is visible; there are traces of {kind} device ({other.splitlines()[0]}),"
            " and none that could be judged: a GPU that is part of the processor does not count",
            fix="compute on its CPU: `-p cpu`, or `playbook: cpu` for this host in hosts.yaml",
        )
    return Finding(
        "GPU-MISSING",
        Severity.ERROR,
        "no GPU is visible, neither to nvidia-smi nor on the PCI bus",
        fix='where the GPU is attached later, say `expect: {gpus: 1, cuda: "12.4"}` for this host in hosts.yaml;'
        " to compute on its CPU: `-p cpu`, or `playbook: cpu` there",
    )


def _unproven(expect: Expect) -> Finding:
    cards = "1 GPU" if expect.gpus == 1 else f"{expect.gpus} GPUs"
    wanted = f"{cards} expected" if expect.gpus is not None else f"CUDA {expect.cuda} expected"
    for_cpu = expect.cuda is None
    return Finding(
        "GPU-UNPROVEN",
        Severity.ERROR,
        f"no GPU is visible ({wanted}): the machine was perhaps started without it"
        + ("; without `expect.cuda` the environment is built for the CPU" if for_cpu else ""),
        fix=(f'say `expect: {{gpus: {expect.gpus}, cuda: "12.4"}}` in hosts.yaml; ' if for_cpu else "")
        + "start the machine with its GPU, then `provision up`, which proves it (to compute on the CPU: `-p cpu`)",
    )


def _on_the_bus(gpu: GpuFacts) -> list[str]:
    return [device for device in gpu.pci_devices if device.startswith(_NVIDIA)]


def _said(gpu: GpuFacts) -> str:
    return f" ({gpu.message.splitlines()[0]})" if gpu.message else ""
