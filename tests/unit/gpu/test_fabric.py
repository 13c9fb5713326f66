"""The NVSwitch fabric and the fabric manager's version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.facts import parse
from provision.gpu.fabric import fabric_findings
from provision.model.facts import Gpu, GpuFacts
from provision.model.plan import Finding, Severity
from tests.unit.facts.probe_text import probe_text

READY = {"fabric.state": "Completed", "fabric.status": "Success"}
ABSENT = {"fabric.state": "[N/A]", "fabric.status": "[N/A]"}


def card(readings: dict[str, str], *failures: str, name: str = "NVIDIA H100 80GB HBM3") -> Gpu:
    return Gpu(index=0, uuid="GPU-1", name=name, readings=tuple(readings.items()), failures=failures)


def judged(
    *gpus: Gpu,
    driver: str = "535.161.08",
    manager: str | None = None,
    service: str | None = "active",
    installed: str | None = None,
) -> list[Finding]:
    gpu = GpuFacts(
        nvidia_smi=0,
        gpus=gpus,
        driver=driver,
        driver_installed=installed,
        fabric_manager=service,
        fabric_manager_version=manager,
    )
    return list(fabric_findings(replace(parse(probe_text()), gpu=gpu)))


def codes(findings: list[Finding]) -> list[tuple[str, Severity]]:
    return [(one.code, one.severity) for one in findings]


def test_a_ready_fabric_with_the_drivers_manager_gives_no_finding() -> None:
    assert judged(card(READY), manager="535.161.08") == []


def test_a_manager_of_another_version_is_an_error_with_the_package_that_fits() -> None:
    (finding,) = judged(card(READY), manager="535.183.01")

    assert (finding.code, finding.severity) == ("GPU-FABRIC", Severity.ERROR)
    assert "535.161.08" in finding.message
    assert "535.183.01" in finding.message
    assert finding.fix is not None
    assert "nvidia-fabricmanager-535=535.161.08" in finding.fix


def test_a_manager_of_another_version_explains_a_fabric_that_is_not_ready() -> None:
    found = judged(card({"fabric.state": "In Progress"}), manager="535.183.01", service="failed")

    assert codes(found) == [("GPU-FABRIC", Severity.ERROR)]
    assert "535.183.01" in found[0].message


def test_the_packages_name_in_nvidias_own_archive_is_told_where_it_is_another() -> None:
    (older,) = judged(card(READY), manager="535.183.01")
    (newer,) = judged(card(READY), driver="580.126.09", manager="580.126.20")

    assert "own archive" not in (older.fix or "")
    assert "own archive" in (newer.fix or "")


def test_eight_sxm_cards_are_joined_where_the_driver_has_no_word_for_the_fabric() -> None:
    cards = [card(ABSENT, name="NVIDIA A100-SXM4-80GB")] * 8

    assert codes(judged(*cards, manager="535.183.01")) == [("GPU-FABRIC", Severity.ERROR)]


def test_a_manager_of_another_version_does_not_matter_without_nvswitches() -> None:
    assert codes(judged(card(ABSENT, name="NVIDIA A10"), manager="535.183.01")) == [("GPU-FABRIC", Severity.INFO)]


def test_a_manager_that_was_updated_with_the_driver_fits_after_the_restart_that_is_due() -> None:
    assert judged(card(READY), manager="535.183.01", installed="535.183.01") == []


def test_a_host_without_a_fabric_manager_has_no_version_to_judge() -> None:
    assert judged(card(READY), service=None) == []


def test_a_status_that_cannot_be_read_is_left_to_the_finding_of_readings() -> None:
    status = {"fabric.state": "Completed", "fabric.status": "Unknown Error"}

    assert judged(card(status, "fabric.status: Unknown Error")) == []


def test_a_status_that_says_what_failed_is_an_error() -> None:
    (finding,) = judged(card({"fabric.state": "Completed", "fabric.status": "Insufficient Resources"}))

    assert (finding.code, finding.severity) == ("GPU-FABRIC", Severity.ERROR)
    assert "Insufficient Resources" in finding.message


@pytest.mark.parametrize(
    ("summary", "severity"),
    [
        ("Healthy", None),
        ("N/A", None),
        ("Not Supported", None),
        ("Limited Capacity", Severity.WARNING),
        ("Unhealthy", Severity.ERROR),
    ],
)
def test_the_fabrics_health_is_judged(summary: str, severity: Severity | None) -> None:
    found = judged(card({**READY, "fabric.health.summary": summary}))

    assert codes(found) == ([("GPU-FABRIC", severity)] if severity else [])


def test_a_card_has_one_finding_of_its_fabric_and_not_two() -> None:
    both = {
        "fabric.state": "Completed",
        "fabric.status": "Insufficient Resources",
        "fabric.health.summary": "Unhealthy",
    }

    assert len(judged(card(both))) == 1


@pytest.mark.parametrize(
    ("lines", "version"),
    [
        (["", "\tFabric Manager version is : 535.161.08", ""], "535.161.08"),
        (["Fabric Manager version is: 580.126.09"], "580.126.09"),
        (["nv-fabricmanager: error while loading shared libraries: libnvidia-nscq.so.2"], None),
        ([], None),
    ],
)
def test_the_managers_version_is_read_from_what_it_prints(lines: list[str], version: str | None) -> None:
    facts = parse(probe_text(*(f"gpu.fabric_manager_version|{line}" for line in lines)))

    assert facts.gpu.fabric_manager_version == version


def test_a_fabric_that_is_not_ready_names_its_state_and_how_to_look() -> None:
    (finding,) = judged(card({"fabric.state": "In Progress"}))

    assert "In Progress" in finding.message
    assert (finding.fix or "").startswith("systemctl status nvidia-fabricmanager --no-pager   (")
