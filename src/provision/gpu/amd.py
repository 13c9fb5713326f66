"""Whether AMD's GPUs work and are well. From amd-smi's documented output, not run on hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.facts.lines import number
from provision.gpu.health import MOST_CORRECTED, called
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.model.facts import Gpu, OtherVendor

_HUNG = 124
_EXCHANGE = "ask the provider for another machine: this card must be exchanged"


def amd_absent(amd: OtherVendor) -> Iterator[Finding]:
    """Say why no AMD GPU can be used where something shows one."""
    where = f"an AMD GPU is on the PCI bus ({', '.join(amd.devices[:8])})" if amd.devices else "AMD's tools are here"
    if amd.code == _HUNG:
        yield Finding(
            "GPU-HUNG",
            Severity.ERROR,
            f"{amd.tool} did not answer in time and was ended: a GPU or its driver hangs",
            fix="sudo reboot",
        )
    elif not amd.loaded and not amd.node:
        yield Finding(
            "GPU-DRIVER-NOT-LOADED",
            Severity.ERROR,
            f"{where}, and its driver amdgpu is not loaded: there is no /dev/kfd",
            fix="sudo modprobe amdgpu   (after a new kernel: install amdgpu-dkms again)",
        )
    elif not amd.node:
        yield Finding(
            "GPU-MISSING",
            Severity.ERROR,
            f"{where}, its driver is loaded, and there is no /dev/kfd: the container was started without the GPU",
            fix="docker run --device /dev/kfd --device /dev/dri --group-add video --group-add render ...",
        )
    elif amd.tool is None:
        yield Finding(
            "GPU-MISSING",
            Severity.ERROR,
            f"{where}, and neither amd-smi nor rocm-smi is here to tell of it",
            fix="install ROCm's amd-smi-lib (AMD's installation guide), then `provision verify`",
        )
    else:
        said = f" ({amd.message.splitlines()[0]})" if amd.message else ""
        yield Finding(
            "GPU-READING-FAILED",
            Severity.ERROR,
            f"{amd.tool} shows no GPU that can be read (exit code {amd.code}){said}",
            fix="sudo dmesg | grep -i amdgpu",
        )


def amd_health(gpu: Gpu) -> Iterator[Finding]:
    """Judge one card: memory errors, bad pages, its link."""
    counts = numbers(dict(gpu.readings))
    yield from _errors(gpu, counts)
    yield from _pages(gpu, counts)
    width, most = counts.get("pcie.width"), counts.get("bus.max_pcie_width")
    if width and most and width < most:
        yield Finding(
            "GPU-PCIE",
            Severity.WARNING,
            f"{called(gpu)}: its PCIe link has {width} lanes of {most}, so data reaches it more slowly",
            fix="amd-smi metric --pcie   (an unstable slot or riser: ask the provider for another machine)",
        )


def numbers(readings: dict[str, str]) -> dict[str, int]:
    """Return the readings that are whole numbers."""
    found = ((name, number(text)) for name, text in readings.items())
    return {name: value for name, value in found if value is not None}


def _errors(gpu: Gpu, counts: dict[str, int]) -> Iterator[Finding]:
    if uncorrectable := counts.get("ecc.total_uncorrectable_count"):
        yield Finding(
            "GPU-ECC",
            Severity.ERROR,
            f"{called(gpu)}: {uncorrectable} memory errors since the driver was loaded could not be corrected",
            fix="sudo reboot   (if they come again: another machine)",
        )
    if deferred := counts.get("ecc.total_deferred_count"):
        yield Finding(
            "GPU-ECC",
            Severity.WARNING,
            f"{called(gpu)}: {deferred} memory errors could not be corrected and were not used by a program yet",
            fix="sudo reboot   (if they come again: another machine)",
        )
    corrected = counts.get("ecc.total_correctable_count", 0)
    if corrected > MOST_CORRECTED:
        yield Finding(
            "GPU-ECC",
            Severity.WARNING,
            f"{called(gpu)}: {corrected:,} memory errors were corrected since the driver was loaded",
            fix="watch it, and ask the provider for another machine if it grows",
        )


def _pages(gpu: Gpu, counts: dict[str, int]) -> Iterator[Finding]:
    retired, most = counts.get("bad_pages.retired", 0), counts.get("ras.bad_page_threshold")
    if unreserved := counts.get("bad_pages.un_res"):
        yield Finding(
            "GPU-ECC",
            Severity.ERROR,
            f"{called(gpu)}: {unreserved} bad pages of its memory could not be taken out of use",
            fix=_EXCHANGE,
        )
    if most and retired >= most:
        yield Finding(
            "GPU-ECC",
            Severity.ERROR,
            f"{called(gpu)}: {retired} bad pages of its memory were taken out of use; its limit is {most}",
            fix=_EXCHANGE,
        )
    elif retired:
        limit = f" (its limit is {most})" if most else ""
        yield Finding(
            "GPU-ECC",
            Severity.WARNING,
            f"{called(gpu)}: {retired} bad pages of its memory were taken out of use{limit}",
            fix="watch it with `amd-smi bad-pages`, and ask the provider for another machine if it grows",
        )
    if pending := counts.get("bad_pages.pending"):
        yield Finding(
            "GPU-ECC",
            Severity.WARNING,
            f"{called(gpu)}: {pending} bad pages of its memory are taken out of use at the next start of the driver",
            fix="sudo reboot",
        )
