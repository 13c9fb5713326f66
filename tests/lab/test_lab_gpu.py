"""The recorded nvidia-smi answers as the real one did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

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
