"""What joins the cards of one machine: NVSwitches, and the fabric manager that sets them up.

Sources: NVIDIA's Fabric Manager user guide (it must be of the driver's exact version; CUDA gives error 802 until the
fabric is ready) and the texts of nvidia-smi's `fabric.*` fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.gpu.readings import called, failed, known, text
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.model.facts import Facts, Gpu, GpuFacts

NVSWITCH_FROM = 8
"""SXM cards in one machine from which on they are joined by NVSwitches; four are wired to each other."""
_WITHOUT_BRANCH = 580
"""Branch of the driver from which on the packages in NVIDIA's own archive have names without the branch."""
_SHOWN = 3


def fabric_findings(facts: Facts) -> Iterator[Finding]:
    """Judge the fabric manager, then each card's part of the fabric."""
    gpus = facts.gpu.gpus
    states = [text(dict(gpu.readings), "fabric.state") for gpu in gpus]
    pending = [gpu for gpu, state in zip(gpus, states, strict=True) if state in {"in progress", "not started"}]
    joined = sum("SXM" in gpu.name for gpu in gpus) >= NVSWITCH_FROM
    other = _other_version(facts.gpu, needed=joined or any(known(state) for state in states))
    if other is not None:
        yield other
    # A manager of another version does not start: that is the cause of all else.
    if other is None or other.severity is not Severity.ERROR:
        yield from _not_ready(facts.gpu, pending, joined=joined)
    for gpu in gpus:
        yield from _membership(gpu, dict(gpu.readings))


def _not_ready(gpu: GpuFacts, pending: list[Gpu], *, joined: bool) -> Iterator[Finding]:
    service = gpu.fabric_manager
    names = ", ".join(called(one) for one in pending[:_SHOWN])
    if len(pending) > _SHOWN:
        names += f" and {len(pending) - _SHOWN} more"
    states = ", ".join(sorted({dict(one.readings)["fabric.state"].strip() for one in pending}))
    if service not in {None, "active"} and (pending or joined):
        yield Finding(
            "GPU-FABRIC",
            Severity.ERROR,
            f"the fabric manager is {service}, and the GPUs are joined by NVSwitches: CUDA fails with error 802",
            fix="sudo systemctl enable --now nvidia-fabricmanager   (it must have the driver's exact version"
            + (f", {gpu.driver})" if gpu.driver else ")"),
        )
    elif pending:
        yield Finding(
            "GPU-FABRIC",
            Severity.WARNING if service == "active" else Severity.ERROR,
            f"the NVSwitch fabric is not ready yet ({names}: {states}): until it is, CUDA fails with error 802",
            fix="systemctl status nvidia-fabricmanager --no-pager   (just after a start wait a minute, then `provision"
            " verify`; if it stays: sudo systemctl restart nvidia-fabricmanager)",
        )


def _other_version(gpu: GpuFacts, *, needed: bool) -> Finding | None:
    manager = gpu.fabric_manager_version
    driver = gpu.driver or gpu.driver_loaded
    # One that was exchanged together with the driver on disk fits after the restart that is due anyway.
    if manager is None or driver is None or manager in {driver, gpu.driver_installed}:
        return None
    branch = driver.partition(".")[0]
    renamed = int(branch) >= _WITHOUT_BRANCH
    return Finding(
        "GPU-FABRIC",
        Severity.ERROR if needed else Severity.INFO,
        f"the fabric manager is of version {manager} and the driver of {driver}:"
        " it works with a driver of exactly its own version only"
        + ("" if needed else ", which matters where NVSwitches join the GPUs"),
        fix=f"sudo apt-get install --allow-downgrades 'nvidia-fabricmanager-{branch}={driver}*'"
        " && sudo systemctl restart nvidia-fabricmanager"
        + ("   (in NVIDIA's own archive the package is nvidia-fabricmanager)" if renamed else ""),
    )


def _membership(gpu: Gpu, readings: dict[str, str]) -> Iterator[Finding]:
    status, health = (readings.get(f"fabric.{name}", "").strip() for name in ("status", "health.summary"))
    if text(readings, "fabric.state") == "completed" and known(status) and status.lower() != "success":
        if not failed(gpu, "fabric.status"):
            yield Finding(
                "GPU-FABRIC",
                Severity.ERROR,
                f"{called(gpu)}: it did not join the NVSwitch fabric: {status}",
                fix="sudo systemctl restart nvidia-fabricmanager   (then sudo reboot)",
            )
    elif known(health) and health.lower() != "healthy" and not failed(gpu, "fabric.health.summary"):
        yield Finding(
            "GPU-FABRIC",
            Severity.WARNING if health.lower() == "limited capacity" else Severity.ERROR,
            f"{called(gpu)}: its part of the NVSwitch fabric is not well: {health}",
            fix="sudo systemctl restart nvidia-fabricmanager   (if it stays: ask the provider for another machine)",
        )
