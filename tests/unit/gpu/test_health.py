"""Findings from what a card says of its own state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.facts import parse
from provision.gpu.health import health_findings
from provision.model.facts import Facts, Gpu, GpuFacts, GpuProcess
from provision.model.plan import Finding, Severity
from tests.unit.facts.probe_text import probe_text

V100 = Gpu(index=0, uuid="GPU-1", name="Tesla V100-SXM2-32GB", bus_id="00000000:3E:00.0")


def found(gpu: GpuFacts) -> list[Finding]:
    facts: Facts = replace(parse(probe_text()), gpu=gpu)
    return list(health_findings(facts))


def judged(readings: dict[str, str], *xid: str, used: bool = False) -> list[Finding]:
    card = replace(V100, readings=tuple(readings.items()))
    processes = (GpuProcess("GPU-1", 4711, "python", 500),) if used else ()
    return found(GpuFacts(nvidia_smi=0, gpus=(card,), driver="535.161.08", processes=processes, xid=xid))


def codes(readings: dict[str, str], *xid: str) -> list[tuple[str, Severity]]:
    return [(one.code, one.severity) for one in judged(readings, *xid)]


@pytest.mark.parametrize(
    ("single", "double", "suspect"),
    [("0", "0", False), ("8", "2", False), ("8", "3", True), ("[N/A]", "11", True), ("[N/A]", "[N/A]", False)],
)
def test_more_than_ten_retired_pages_are_a_warning(single: str, double: str, suspect: bool) -> None:
    readings = {"retired_pages.single_bit_ecc.count": single, "retired_pages.double_bit.count": double}

    assert codes(readings) == ([("GPU-ECC", Severity.WARNING)] if suspect else [])


@pytest.mark.parametrize(
    ("readings", "says", "fix"),
    [
        ({"reset_status.reset_required": "Yes"}, "Reset", "sudo nvidia-smi --gpu-reset -i 0"),
        ({"reset_status.drain_and_reset_recommended": "Yes"}, "Drain and Reset", "end every program on it"),
        ({"gpu_recovery_action": "Reboot"}, "Reboot", "sudo reboot"),
    ],
)
def test_a_card_that_must_be_reset_is_an_error_with_the_way_to_do_it(
    readings: dict[str, str], says: str, fix: str
) -> None:
    (finding,) = judged(readings)

    assert (finding.code, finding.severity) == ("GPU-RECOVERY", Severity.ERROR)
    assert finding.message.endswith(says)
    assert finding.fix is not None
    assert finding.fix.startswith(fix)


def test_no_reset_is_no_finding() -> None:
    readings = {"reset_status.reset_required": "No", "reset_status.drain_and_reset_recommended": "No"}

    assert codes(readings) == []
    assert codes({"gpu_recovery_action": "None"}) == []


def test_the_recovery_action_is_believed_before_what_it_replaced() -> None:
    assert codes({"gpu_recovery_action": "None", "reset_status.reset_required": "Yes"}) == []


@pytest.mark.parametrize("name", ["gpu_recovery_action", "reset_status.reset_required"])
def test_an_xid_whose_reset_is_done_is_information(name: str) -> None:
    line = "NVRM: Xid (PCI:0000:3e:00): 119, pid=1, name=x, Timeout after 6s of waiting for RPC response"
    done = "None" if name == "gpu_recovery_action" else "No"

    assert codes({}, line) == [("GPU-XID", Severity.WARNING)]
    assert codes({name: done}, line) == [("GPU-XID", Severity.INFO)]


@pytest.mark.parametrize("family", ["clocks_event_reasons", "clocks_throttle_reasons"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hw_slowdown", "the hardware holds its clock down"),
        ("hw_thermal_slowdown", "the hardware holds its clock down (heat), at 91 °C"),
        ("sw_thermal_slowdown", "the driver holds its clock down (heat), at 91 °C"),
        ("hw_power_brake_slowdown", "the hardware holds its clock down (the power supply's brake)"),
    ],
)
def test_a_slowdown_names_who_holds_the_clock_and_why(family: str, name: str, says: str) -> None:
    (finding,) = judged({f"{family}.{name}": "Active", "temperature.gpu": "91"})

    assert (finding.code, finding.severity) == ("GPU-SLOWDOWN", Severity.WARNING)
    assert says in finding.message


def test_a_clock_that_nothing_holds_is_no_finding() -> None:
    assert (
        codes({"clocks_event_reasons.hw_slowdown": "Not Active", "clocks_throttle_reasons.hw_slowdown": "[N/A]"}) == []
    )


@pytest.mark.parametrize(("used", "severity"), [(False, Severity.INFO), (True, Severity.WARNING)])
def test_a_narrow_link_is_a_warning_only_while_a_process_uses_the_card(used: bool, severity: Severity) -> None:
    (finding,) = judged({"pcie.link.width.current": "8", "pcie.link.width.max": "16"}, used=used)

    assert (finding.code, finding.severity) == ("GPU-PCIE", severity)
    assert "8 lanes of 16" in finding.message


def test_a_process_on_another_card_does_not_count_for_this_one() -> None:
    narrow = replace(V100, readings=(("pcie.link.width.current", "8"), ("pcie.link.width.max", "16")))
    elsewhere = GpuProcess("GPU-2", 4711, "python", 500)

    (finding,) = found(GpuFacts(nvidia_smi=0, gpus=(narrow,), processes=(elsewhere,)))

    assert finding.severity is Severity.INFO


@pytest.mark.parametrize(
    ("xid", "fix"),
    [
        (94, "sudo nvidia-smi --gpu-reset -i 0   (when it is idle next"),
        (119, "sudo nvidia-smi --gpu-reset -i 0   (if it was not reset since)"),
        (13, "look at the program that ran then"),
        (31, "look at the program that ran then"),
    ],
)
def test_each_xid_has_its_own_advice(xid: int, fix: str) -> None:
    (finding,) = judged({}, f"NVRM: Xid (PCI:0000:3e:00): {xid}, pid=1, name=x, some text")

    assert (finding.fix or "").startswith(fix)


def test_a_card_that_is_not_listed_is_named_by_its_bus() -> None:
    (finding,) = judged({}, "NVRM: Xid (PCI:0000:19:00): 119, pid=1, name=x, some text")

    assert (finding.fix or "").startswith("sudo nvidia-smi --gpu-reset -i 0000:19:00.0   (")
