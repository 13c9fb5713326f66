"""Checks that failed, were not complete or are out of date do not make a host count as fit."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from provision.environment.frameworks import judge, question
from provision.environment.frameworks.report import Computation, Description, Framework, FrameworkReport, Outcome
from provision.environment.spec import EnvironmentSpec
from provision.facts import parse
from provision.model.facts import Gpu, GpuFacts
from provision.model.plan import Run, Severity
from provision.playbook.tasks.environment.compute import _chooses_cpu
from provision.report.verdict import fact_line
from tests.abuse.hostile import facts as hostile_facts
from tests.abuse.test_lying_host import Liar, desk_at
from tests.facts_builder import a10
from tests.scripts.test_framework_check import SCRIPT, Environment, cuda, gone, gpus
from tests.unit.facts.probe_text import probe_text
from tests.unit.playbook.test_compute import COMPUTE, names, recorded, seen, task

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from provision.model.facts import Facts

linux = pytest.mark.skipif(sys.platform != "linux", reason="the scripts run on Linux hosts")

OK = Outcome(ok=True)


def test_what_verify_found_broken_is_not_fit_for_the_next_up() -> None:
    """The record of the check that passed before must not stay: `up` would trust it."""
    at = recorded(seen(a10()))
    (step,) = [one for one in task().checks(at) if one.name == COMPUTE]
    assert isinstance(step.action, Run)
    assert step.action.on_fail is not None


def test_other_devices_of_mig_make_the_check_due_again() -> None:
    """The question names them, and so does the record."""
    whole = a10()
    at = recorded(seen(whole))
    split = a10(gpus=(replace(whole.gpus[0], mig=True),), mig_devices=("MIG-1", "MIG-2"))
    assert question(split) != question(whole)
    assert COMPUTE in names(replace(at, gpu=split))


@pytest.mark.parametrize("kind", ["hip", "npu"])
def test_a_card_that_the_framework_does_not_see_is_told_for_every_maker(kind: str) -> None:
    vendor = "amd" if kind == "hip" else "ascend"
    cards = tuple(Gpu(index, f"uuid-{index}", "card", memory_mib=65536, vendor=vendor) for index in range(8))
    there = GpuFacts(gpus=cards, amd="amd-smi" if kind == "hip" else None, ascend=None if kind == "hip" else "npu-smi")
    computed = tuple(Computation(str(index), OK, 1e-7) for index in range(7))
    framework = Framework("torch", OK, Description("2.5.1", kind, count=7), computed)
    assert judge(FrameworkReport("3.12", "/", (framework,)), there, expect_gpu=True)


def _script(monkeypatch: pytest.MonkeyPatch, devices: list[Any]) -> dict[str, Any]:
    """Return the functions of framework_check.py, beside a jax that has these devices."""
    jax = ModuleType("jax")
    jax.devices = lambda: devices  # type: ignore[attr-defined]
    jax.device_put = lambda value, _device: value  # type: ignore[attr-defined]
    jax.block_until_ready = lambda value: value  # type: ignore[attr-defined]
    numpy = ModuleType("numpy")
    numpy.int32 = int  # type: ignore[attr-defined]
    numpy.arange = lambda count, dtype: [dtype(0)] * min(count, 4)  # type: ignore[attr-defined]
    numpy.asarray = list  # type: ignore[attr-defined]
    numpy.array_equal = lambda one, other: one == other  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setitem(sys.modules, "numpy", numpy)
    script: dict[str, Any] = {"__name__": "framework_check"}
    exec(SCRIPT.replace("\nmain(sys.argv[1])\n", "\n"), script)  # noqa: S102 - our own script
    return script


@pytest.mark.parametrize("there", [["cpu"], ["gpu"]], ids=["it fell back to the processor", "one GPU of two"])
def test_a_copy_between_fewer_devices_than_were_asked_for_is_not_passed(
    monkeypatch: pytest.MonkeyPatch, there: list[str]
) -> None:
    script = _script(monkeypatch, [SimpleNamespace(platform=one) for one in there])
    try:
        copied = script["copy_jax"]("cuda", 2)
    except Exception:  # noqa: BLE001 - the child of the script would tell it
        return
    assert copied["wrong"]


@pytest.mark.parametrize("line", ["tensorflow-cpu==2.16.1", "jax[cpu]", "jax[cpu]==0.4.30"])
def test_a_second_framework_that_the_file_wants_for_the_cpu_makes_no_host_unfit(line: str) -> None:
    """Read for data or tables beside a torch that computes on the GPU, on a host that is then called unfit."""
    spec = EnvironmentSpec("m", ("conda-forge",), ("python=3.11",), pip=("torch==2.5.1", line))
    name = "jax" if line.startswith("jax") else "tensorflow"
    report = FrameworkReport(
        "3.11",
        "/",
        (
            Framework("torch", OK, Description("2.5.1+cu124", "cuda", count=1), (Computation("GPU-0", OK, 1e-7),)),
            Framework(name, OK, Description("2.16.1", "cpu")),
        ),
    )
    found = judge(report, gpus(1), expect_gpu=True, cpu_chosen=_chooses_cpu(spec))
    assert Severity.ERROR not in {one.severity for one in found}


def test_a_tensorflow_with_devices_and_without_a_build_info_does_not_pass_uncomputed() -> None:
    framework = Framework("tensorflow", OK, Description("2.3.0", "cpu", count=1))
    assert judge(FrameworkReport("3.8", "/", (framework,)), gpus(1), expect_gpu=True)


def _hanging(environment: Environment, timeout: float) -> subprocess.Popen[bytes]:
    """Start a check whose computation hangs, and wait until it does."""
    process = environment.start(question(gpus(1), timeout=timeout, total=2 * timeout), cuda(1, faults={"0": "hang"}))
    for _ in range(600):
        if environment.marker.exists() and environment.marker.read_text().endswith("\n"):
            return process
        time.sleep(0.05)
    raise AssertionError("it never began")


@linux
def test_children_end_with_a_check_that_is_killed(tmp_path: Path) -> None:
    """Nothing that a SIGKILL leaves may hold the GPU; each child is in a session of its own."""
    environment = Environment(tmp_path).torch()
    with _hanging(environment, 60) as process:
        process.kill()
    pid = int(environment.marker.read_text())
    session = os.getsid(pid)
    try:
        assert gone(pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(session, signal.SIGKILL)


@linux
def test_a_check_ends_when_nobody_reads_its_answer_any_more(tmp_path: Path) -> None:
    """A cut link sends no signal without a terminal, and the check that is asked again competes for the memory."""
    environment = Environment(tmp_path).torch()
    with _hanging(environment, 20) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()
        try:
            process.wait(8)
        finally:
            process.terminate()


def test_an_environment_whose_python_is_gone_has_not_passed() -> None:
    """Its file asks for Python; the check of imports counts this as an error, and may be on record already."""
    (step,) = [one for one in task().plan(seen(a10())) if one.name == COMPUTE]
    assert isinstance(step.action, Run)
    assert step.action.judge is not None
    assert step.action.judge(b"no interpreter: /home/ubuntu/.provision/envs/mymodel/mymodel/1/bin/python\n")


def noted(depends: dict[str, Any], summary: object) -> Facts:
    text = json.dumps(
        {"format": 1, "depends": {"boot": "b1", "driver": None, "gpus": [], **depends}, "summary": summary}
    )
    return parse(
        probe_text(
            "gpu.smi|absent",
            "boot_id|b1",
            "environment|p/m",
            "environment.current|p/m|1-aaaaaaaa",
            "generation|p/m/1-aaaaaaaa",
            "record|compute-p-m",
            f"record.compute-p-m|{text}",
        )
    )


@pytest.mark.parametrize("value", [["1-aaaaaaaa"], {}, {"a": 1}])
def test_a_record_of_another_shape_does_not_end_the_run(value: object) -> None:
    """It was TypeError: unhashable type, from the line of the verdict."""
    fact_line(noted({"generation": value}, "torch computes on all 8"))


def test_a_record_does_not_fill_the_screen() -> None:
    line = fact_line(noted({"generation": "1-aaaaaaaa"}, "A" * 900_000))
    assert "AAAA" in line
    assert len(line) < 300


def test_the_verdict_shows_no_record_of_other_mig_devices() -> None:
    line = fact_line(noted({"generation": "1-aaaaaaaa", "mig_devices": ["MIG-1"]}, "torch computes on the MIG device"))
    assert "computes" not in line


def test_the_verdict_shows_no_record_of_other_cards() -> None:
    """`plan` on seven cards would say of yesterday's eight that torch computes on all of them."""
    line = fact_line(noted({"generation": "1-aaaaaaaa", "gpus": ["GPU-1", "GPU-2"]}, "torch 2.9 computes on all 2"))
    assert "computes on all 2" not in line


@pytest.mark.parametrize(
    "lines",
    [
        (
            b"record|compute-p-m",
            (
                b'record.compute-p-m|{"format":1,"depends":{"boot":"boot-1","driver":null,"gpus":[],"generation":[]},'
                b'"summary":"x"}'
            ),
        ),
        pytest.param(
            (
                b"gpu.amd|amd-smi",
                b"gpu.amd|kfd",
                b'gpu.amd.static|{"gpu_data":[{"gpu":0,"asic":{"target_graphics_version":[]}}]}',
                b"gpu.amd.static|exit=0",
            ),
        ),
    ],
    ids=["a record", "amd-smi"],
)
def test_one_hosts_answer_ends_no_run_with_a_traceback(tmp_path: Path, lines: tuple[bytes, ...]) -> None:
    with desk_at(tmp_path, Liar(probe=lambda: hostile_facts(*lines, b"end|")).respond) as (desk, _):
        (desk.project / "playbooks").mkdir()
        (desk.project / "playbooks/looked-at.yaml").write_text("name: looked-at\ntasks:\n  - gpu: {}\n")
        answer = desk.type("up", "box", "-p", "looked-at")
    assert "TypeError" not in answer.out + answer.err
