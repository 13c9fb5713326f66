"""Whether the cards are well: memory errors, the kernel's Xid lines, slowdown, the slot, the NVSwitch fabric."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from provision.gpu.fabric import fabric_findings
from provision.gpu.readings import active, called, failed, known, number, text, which, yes
from provision.gpu.tables import rows
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.model.facts import Facts, Gpu

__all__ = ["called", "health_findings"]

_XID = re.compile(r"NVRM: Xid \(((?:PCI:)?[0-9a-fA-F:.]+)\).*?: (\d{1,5}),")
MOST_CORRECTED = 50_000_000
"""Corrected ECC errors since the driver was loaded, from which on a card is suspect (as Meta's gcm takes it)."""
MOST_RETIRED = 10
"""Retired pages of memory from which on a card is suspect (as Meta's gcm takes it)."""


def health_findings(facts: Facts) -> Iterator[Finding]:
    """Judge the state of each card and of what joins them."""
    for gpu in facts.gpu.gpus:
        readings = dict(gpu.readings)
        yield from _memory_errors(gpu, readings)
        yield from _recovery(gpu, readings)
        yield from _slowdown(gpu, readings)
        yield from _link_width(gpu, readings, used=any(one.gpu_uuid == gpu.uuid for one in facts.gpu.processes))
    yield from fabric_findings(facts)
    yield from _xid(facts)


def _memory_errors(gpu: Gpu, readings: dict[str, str]) -> Iterator[Finding]:
    reset = f"sudo nvidia-smi --gpu-reset{which(gpu)}"
    if yes(readings, "remapped_rows.failure"):
        yield Finding(
            "GPU-ECC",
            Severity.ERROR,
            f"{called(gpu)}: a bad row of its memory could not be replaced, because no spare rows are left",
            fix="ask the provider for another machine: this card must be exchanged",
        )
    uncorrected = number(readings, "ecc.errors.uncorrected.volatile.total")
    if uncorrected:
        yield Finding(
            "GPU-ECC",
            Severity.ERROR,
            f"{called(gpu)}: {uncorrected} memory errors since the driver was loaded could not be corrected",
            fix=reset,
        )
    if yes(readings, "remapped_rows.pending") or yes(readings, "retired_pages.pending"):
        yield Finding(
            "GPU-ECC",
            Severity.WARNING,
            f"{called(gpu)}: a bad piece of its memory is replaced at the next reset, and still in use until then",
            fix=reset,
        )
    counts = [number(readings, f"retired_pages.{kind}.count") for kind in ("single_bit_ecc", "double_bit")]
    retired = sum(count for count in counts if count is not None)
    if retired > MOST_RETIRED:
        yield Finding(
            "GPU-ECC",
            Severity.WARNING,
            f"{called(gpu)}: {retired} pages of its memory were found bad and are no longer used, more than"
            f" {MOST_RETIRED}",
            fix="watch it, and ask the provider for another machine if it grows",
        )
    corrected = number(readings, "ecc.errors.corrected.volatile.total")
    if corrected is not None and corrected > MOST_CORRECTED:
        yield Finding(
            "GPU-ECC",
            Severity.WARNING,
            f"{called(gpu)}: {corrected:,} memory errors were corrected since the driver was loaded",
            fix="watch it, and ask the provider for another machine if it grows",
        )


def _recovery(gpu: Gpu, readings: dict[str, str]) -> Iterator[Finding]:
    action = _recovery_action(readings)
    if action is None or action.lower() == "none" or failed(gpu, "gpu_recovery_action"):
        return
    where = which(gpu)
    fixes = {
        "reset": f"sudo nvidia-smi --gpu-reset{where}",
        "reboot": "sudo reboot",
        "drain p2p": "end every program whose GPUs exchange data, then `provision verify`: it says what is left",
        "drain and reset": f"end every program on it, then: sudo nvidia-smi --gpu-reset{where}",
    }
    yield Finding(
        "GPU-RECOVERY",
        Severity.ERROR,
        f"{called(gpu)}: the driver asks for a recovery: {action}",
        fix=fixes.get(action.lower(), "sudo reboot"),
    )


def _recovery_action(readings: dict[str, str]) -> str | None:
    """Return what the driver asks for, in the words of `gpu_recovery_action`; ``None``: it does not say."""
    action = readings.get("gpu_recovery_action", "").strip()
    if known(action):
        return action
    # Before that reading there were two questions, of which it took the place.
    if yes(readings, "reset_status.reset_required"):
        return "Reset"
    if yes(readings, "reset_status.drain_and_reset_recommended"):
        return "Drain and Reset"
    return "None" if text(readings, "reset_status.reset_required") == "no" else None


def _slowdown(gpu: Gpu, readings: dict[str, str]) -> Iterator[Finding]:
    causes = {
        "heat": ("hw_thermal_slowdown", "sw_thermal_slowdown"),
        "the power supply's brake": ("hw_power_brake_slowdown",),
    }
    seen = [cause for cause, names in causes.items() if any(active(readings, name) for name in names)]
    if not seen and not active(readings, "hw_slowdown"):
        return
    hardware = any(active(readings, f"hw_{name}slowdown") for name in ("", "thermal_", "power_brake_"))
    why = f" ({' and '.join(seen)})" if seen else ""
    degrees = readings.get("temperature.gpu", "").strip()
    at = f", at {degrees} °C" if degrees.isdigit() else ""
    yield Finding(
        "GPU-SLOWDOWN",
        Severity.WARNING,
        f"{called(gpu)}: the {'hardware' if hardware else 'driver'} holds its clock down{why}{at}",
        fix="nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER   (and ask the provider about cooling and power)",
    )


def _link_width(gpu: Gpu, readings: dict[str, str], *, used: bool) -> Iterator[Finding]:
    # NVIDIA's help of the query: the width may be reduced while the GPU is not in use.
    current = number(readings, "pcie.link.width.current")
    most = number(readings, "pcie.link.width.max")
    if current and most and current < most:
        yield Finding(
            "GPU-PCIE",
            Severity.WARNING if used else Severity.INFO,
            f"{called(gpu)}: its PCIe link has {current} lanes of {most}"
            + (
                ", so data reaches it more slowly"
                if used
                else "; no program uses it, and it may have more when one does"
            ),
            fix="nvidia-smi --query-gpu=index,pcie.link.width.current,pcie.link.width.max --format=csv   "
            + ("(too few" if used else "(while a program computes; too few then")
            + ": an unstable slot or riser, ask the provider for another machine)",
        )


def _xid(facts: Facts) -> Iterator[Finding]:
    catalogue = {row["xid"]: row for row in rows("xid")}
    seen: Counter[tuple[int, str]] = Counter()
    for line in facts.gpu.xid:
        match = _XID.search(line)
        if match:
            seen[int(match[2]), match[1].removeprefix("PCI:")] += 1
    recovered = {_bus(gpu.bus_id) for gpu in facts.gpu.gpus if _recovery_action(dict(gpu.readings)) == "None"}
    for (xid, bus), count in sorted(seen.items()):
        row = catalogue.get(xid, {"meaning": "not in our table", "action": "workflow"})
        action = row["action"]
        if action == "ignore":
            continue
        times = f", {count} times" if count > 1 else ""
        # The line stays in the log after the reset that it asked for; the driver knows whether that is still due.
        severity = {"restart": Severity.ERROR, "reset": Severity.WARNING, "workflow": Severity.WARNING}.get(
            action, Severity.INFO
        )
        if action == "reset" and _bus(bus) in recovered:
            severity = Severity.INFO
        yield Finding(
            "GPU-XID",
            severity,
            f"the kernel logged Xid {xid} of {bus}{times}: {row['meaning']}",
            fix=_FIXES[action].format(which=_which(bus, facts)),
        )


_FIXES = {
    "application": "look at the program that ran then, mostly for an index out of range (CUDA_LAUNCH_BLOCKING=1 shows"
    " where); if programs that ran well before fail on this card alone, it is the card",
    "contained": "sudo nvidia-smi --gpu-reset{which}   (when it is idle next; start the program that met it again, and"
    " ask the provider for another machine if it comes back)",
    "reset": "sudo nvidia-smi --gpu-reset{which}   (if it was not reset since)",
    "workflow": "sudo dmesg | grep -i xid   (and look for errors before and after; restart if they go on)",
    "restart": "sudo reboot",
}


def _which(bus: str, facts: Facts) -> str:
    """Return the option that names the card to nvidia-smi: the kernel's `0000:5e:00` has no function at its end."""
    card = next((gpu for gpu in facts.gpu.gpus if _bus(gpu.bus_id) == _bus(bus)), None)
    return which(card) if card is not None else f" -i {bus}" + ("" if "." in bus else ".0")


def _bus(text: str | None) -> str:
    """Bring `00000000:5E:00.0` and `0000:5e:00` to one form."""
    parts = re.split(r"[:.]", (text or "").lower())
    return ":".join(part.lstrip("0") or "0" for part in parts[:3])
