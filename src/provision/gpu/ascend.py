"""Whether Huawei's Ascend NPUs work and are well. From npu-smi's documented output, not run on hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.gpu.amd import numbers
from provision.gpu.health import called
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.model.facts import Gpu, OtherVendor

_HUNG = 124
_NOT_INITIALISED = "dcmi module initialize failed"
_SEVERITIES = {"Warning": Severity.WARNING, "Alarm": Severity.ERROR, "Critical": Severity.ERROR}


def ascend_absent(ascend: OtherVendor) -> Iterator[Finding]:
    """Say why no NPU can be used where something shows one."""
    where = f"an Ascend NPU is on the PCI bus ({', '.join(ascend.devices[:8])})"
    said = f" ({ascend.message.splitlines()[0]})" if ascend.message else ""
    if ascend.code == _HUNG:
        yield Finding(
            "GPU-HUNG",
            Severity.ERROR,
            "npu-smi did not answer in time and was ended: an NPU or its driver hangs",
            fix="sudo reboot",
        )
    elif _NOT_INITIALISED in (ascend.message or ""):
        line = next(text for text in (ascend.message or "").splitlines() if _NOT_INITIALISED in text)
        yield Finding(
            "GPU-DRIVER-NOT-LOADED",
            Severity.ERROR,
            f"npu-smi cannot reach the Ascend driver ({line.strip()}): it is not loaded, its firmware was exchanged"
            " without a restart, the login is not in the driver's group, or the container has no NPU",
            fix='sudo reboot   (if it stays: sudo usermod -aG HwHiAiUser "$USER", and log in again;'
            " in a container: docker run --device /dev/davinci0 --device /dev/davinci_manager"
            " --device /dev/devmm_svm --device /dev/hisi_hdc ...)",
        )
    elif ascend.tool is None:
        yield Finding(
            "GPU-MISSING",
            Severity.ERROR,
            f"{where if ascend.devices else 'an Ascend device file is here'}, and there is no npu-smi:"
            " the driver is missing, or the container was started without it",
            fix="install the Ascend driver and firmware (Huawei's guide for the card), then `sudo reboot`",
        )
    else:
        yield Finding(
            "GPU-READING-FAILED",
            Severity.ERROR,
            f"npu-smi shows no NPU that can be read (exit code {ascend.code}){said}",
            fix="sudo dmesg | grep -i davinci",
        )


def ascend_health(gpu: Gpu) -> Iterator[Finding]:
    """Judge one chip: what it says of itself, whether driver and firmware fit, memory errors."""
    readings = dict(gpu.readings)
    if severity := _SEVERITIES.get(readings.get("health", "")):
        told = " ".join(filter(None, (readings.get("health.error_code"), readings.get("health.error"))))
        yield Finding(
            "GPU-RECOVERY",
            severity,
            f"{called(gpu)}: npu-smi gives its health as {readings['health']}" + (f": {told}" if told else ""),
            fix=f"npu-smi info -t health -i {_npu(gpu)}   (Huawei's list of health faults says what the code asks for)",
        )
    fits = readings.get("board.compatibility", "OK")
    if fits.upper() != "OK":
        driver, firmware = readings.get("board.software", "unknown"), readings.get("board.firmware", "unknown")
        yield Finding(
            "GPU-DRIVER-MISMATCH",
            Severity.ERROR,
            f"{called(gpu)}: driver {driver} and firmware {firmware} do not fit each other (Compatibility: {fits})",
            fix="install the firmware of the driver's release, then `sudo reboot`",
        )
    yield from _memory(gpu, readings)


def _memory(gpu: Gpu, readings: dict[str, str]) -> Iterator[Finding]:
    counts = numbers(readings)
    if errors := counts.get("ecc.hbm_double_bit", 0) + counts.get("ecc.ddr_double_bit", 0):
        yield Finding(
            "GPU-ECC",
            Severity.ERROR,
            f"{called(gpu)}: {errors} memory errors could not be corrected",
            fix="sudo reboot   (if they come again: another machine)",
        )
    if pages := counts.get("ecc.hbm_isolated_pages"):
        yield Finding(
            "GPU-ECC",
            Severity.WARNING,
            f"{called(gpu)}: {pages} bad pages of its memory were taken out of use",
            fix=f"watch it with `npu-smi info -t ecc -i {_npu(gpu)}`, and ask for another machine if it grows",
        )


def _npu(gpu: Gpu) -> str:
    """Return the number that npu-smi takes: the card's, which is not always the chip's."""
    return gpu.uuid.split("-")[1] if gpu.uuid.startswith("npu-") else "ID"
