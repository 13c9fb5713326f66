"""The recorded nvidia-smi answers as the real one did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.facts import parse

if TYPE_CHECKING:
    from provision.model.facts import GpuFacts
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tests/golden/nvidia_smi"
PROBE = ROOT / "src/provision/remote/scripts/probe.sh"

TABLE = """index, name, memory.total [MiB], compute_cap
0, NVIDIA A10, 23028 MiB, 8.6
1, NVIDIA A10, 23028 MiB, 8.6
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    (tmp_path / "query-gpu.csv").write_text(TABLE)
    (tmp_path / "help-query-gpu.out").write_text('"index"\n')
    (tmp_path / "topo-m.out").write_text("GPU0\tX\n")
    (tmp_path / "smi.out").write_text("table\n")
    (tmp_path / "proc-driver-version").write_text("NVRM version: 550.54.15\n")
    return tmp_path


def probed(host: LabHost) -> GpuFacts:
    """Return what the probe reads of the host's GPUs."""
    return parse(host.run(["sh", "-s"], stdin=PROBE.read_text(), check=True).stdout.encode()).gpu


def test_the_asked_columns_are_chosen_in_the_asked_order(lab: Lab, recording: Path) -> None:
    host = lab.host(gpu=recording)
    answer = host.ssh("nvidia-smi --query-gpu=memory.total,index --format=csv,noheader,nounits")
    assert (answer.returncode, answer.stdout) == (0, "23028, 0\n23028, 1\n")
    assert host.ssh("nvidia-smi --query-gpu=name,memory.total --format=csv").stdout.splitlines()[:2] == [
        "name, memory.total [MiB]",
        "NVIDIA A10, 23028 MiB",
    ]


def test_one_unknown_field_fails_the_whole_query_on_stdout(lab: Lab, recording: Path) -> None:
    answer = lab.host(gpu=recording).ssh("nvidia-smi --query-gpu=index,nonsense --format=csv")
    assert answer.returncode == 2
    assert answer.stdout == 'Field "nonsense" is not a valid field to query.\n\n'


def test_other_arguments_name_their_recording(lab: Lab, recording: Path) -> None:
    host = lab.host(gpu=recording)
    assert host.ssh("nvidia-smi --help-query-gpu").stdout == '"index"\n'
    assert host.ssh("nvidia-smi topo -m").stdout == "GPU0\tX\n"
    assert host.ssh("nvidia-smi").stdout == "table\n"
    assert host.ssh("nvidia-smi --frobnicate").returncode == 2


@pytest.mark.parametrize("systemd", [False, pytest.param(True, marks=pytest.mark.systemd)])
def test_the_drivers_file_is_in_proc(lab: Lab, recording: Path, systemd: bool) -> None:
    host = lab.host(gpu=recording, systemd=systemd)
    assert host.ssh("cat /proc/driver/nvidia/version").stdout == "NVRM version: 550.54.15\n"


def test_what_was_recorded_beside_nvidia_smi_is_replayed_too(lab: Lab, recording: Path) -> None:
    (recording / "proc-driver-version").unlink()
    (recording / "dmesg.out").write_text("NVRM: Xid (PCI:0000:06:00): 79, GPU has fallen off the bus.\n")
    (recording / "fabric-manager.out").write_text("failed\n")
    (recording / "fabric-manager-version.out").write_text("Fabric Manager version is : 535.161.08\n")
    host = lab.host(gpu=recording)

    assert host.ssh("dmesg").stdout == "NVRM: Xid (PCI:0000:06:00): 79, GPU has fallen off the bus.\n"
    state = host.ssh("systemctl is-active nvidia-fabricmanager")
    assert (state.returncode, state.stdout) == (3, "failed\n")
    assert host.ssh("nv-fabricmanager --version").stdout == "Fabric Manager version is : 535.161.08\n"
    assert host.ssh("ls /etc/systemd/system/nvidia-fabricmanager.service").returncode == 0
    assert host.ssh("cat /proc/driver/nvidia/version").stdout == ""


def test_a_host_whose_recording_has_nothing_beside_it_keeps_its_own_programs(lab: Lab, recording: Path) -> None:
    host = lab.host(gpu=recording)

    assert host.ssh("command -v dmesg").stdout == "/usr/bin/dmesg\n"
    assert host.ssh("command -v nv-fabricmanager").returncode != 0


def test_lines_of_a_library_stand_around_the_rows(lab: Lab, recording: Path) -> None:
    (recording / "query-gpu.before").write_text("Initializing.....\n")
    (recording / "query-gpu.after").write_text("Calling exit handler 28\n")
    answer = lab.host(gpu=recording).ssh("nvidia-smi --query-gpu=index --format=csv,noheader")

    assert answer.stdout == "Initializing.....\n0\n1\nCalling exit handler 28\n"


def test_the_probe_reads_a_recorded_fabric_manager_and_log(lab: Lab) -> None:
    fabric = probed(lab.host(gpu=RECORDINGS / "h100-fabric-manager-other-version"))
    log = probed(lab.host(gpu=RECORDINGS / "xid-31-43-94"))

    assert (fabric.fabric_manager, fabric.fabric_manager_version) == ("failed", "580.126.20")
    assert [line.split("): ")[1].split(",")[0] for line in log.xid] == ["43", "43", "31", "94"]


def test_a_recorded_failure_replaces_every_answer(lab: Lab, recording: Path) -> None:
    (recording / "failure.out").write_text("Failed to initialize NVML: Driver/library version mismatch\n")
    (recording / "failure.rc").write_text("18\n")
    answer = lab.host(gpu=recording).ssh("nvidia-smi --query-gpu=index --format=csv")
    assert answer.returncode == 18
    assert "mismatch" in answer.stdout


def test_an_exit_code_can_be_chosen(lab: Lab, recording: Path) -> None:
    assert lab.host(gpu=recording, gpu_exit=14).ssh("nvidia-smi").returncode == 14


def test_a_hanging_nvidia_smi_never_answers(lab: Lab, recording: Path) -> None:
    assert lab.host(gpu=recording, gpu_hang=True).ssh("timeout 0.3 nvidia-smi").returncode == 124
