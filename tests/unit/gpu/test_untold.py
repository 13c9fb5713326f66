"""What a GPU's answer leaves out or says twice: it is told, and never passed over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.facts import parse
from provision.gpu.findings import judge
from provision.model.host import Expect
from tests.unit.facts.probe_text import probe_text

FIELDS = "index,name,uuid,driver_version,memory.total,compute_mode,fabric.state,gpu_recovery_action"
ROW = "0, NVIDIA A10, GPU-51ae0086-e1ac-4a20, 550.54.14, 23028, Default, [N/A], None"
BUS = ("pci|10de:2236 030200 0000:14:00.0", "pci|10de:2236 030200 0000:19:00.0")


def codes(row: str = ROW, *more: str, container: str | None = None) -> list[str]:
    lines = (f"gpu.fields|{FIELDS}", f"gpu.query|{row}", "gpu.query|exit=0")
    facts = parse(probe_text("gpu.smi|present", *lines, *more))
    facts = replace(facts, system=replace(facts.system, shm=None, virtualisation=container))
    return [one.code for one in judge(facts, Expect())]


def test_a_plain_answer_gives_no_finding() -> None:
    assert codes() == []


@pytest.mark.parametrize("container", ["docker", "podman", "lxc"])
def test_a_container_may_see_more_of_the_bus_than_it_was_given(container: str) -> None:
    assert codes(ROW, *BUS, container=container) == []


@pytest.mark.parametrize("machine", [None, "none", "kvm"])
def test_a_machine_that_lost_a_card_is_told_so(machine: str | None) -> None:
    assert codes(ROW, *BUS, container=machine) == ["GPU-COUNT"]


@pytest.mark.parametrize(
    ("good", "unheard_of", "code"),
    [
        ("Default", "Shared_By_Two", "GPU-READING-FAILED"),
        ("[N/A]", "Rebalancing", "GPU-READING-FAILED"),
        (", None", ", Exchange the card", "GPU-RECOVERY"),
    ],
)
def test_a_state_by_a_new_word_is_told(good: str, unheard_of: str, code: str) -> None:
    assert codes(ROW.replace(good, unheard_of)) == [code]


def test_a_driver_without_a_version_is_told_without_any_condition_on_it() -> None:
    assert codes(ROW.replace("550.54.14", "[N/A]")) == ["GPU-READING-FAILED"]


@pytest.mark.parametrize("number", ["79", "12345", "ERR!"])
def test_an_xid_of_any_form_is_told(number: str) -> None:
    assert "GPU-XID" in codes(ROW, f"gpu.xid|NVRM: Xid (PCI:0000:0e:00): {number} GPU has fallen off the bus.")
