"""framework_check.py with real Pythons and a stand-in for PyTorch: what computes, lies, hangs, crashes and warns."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from provision.demo import standin
from provision.environment.frameworks import FrameworkReport, judge, parse_report, question, summary
from provision.model.facts import Gpu, GpuFacts
from provision.remote import sources

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the scripts run on Linux hosts")

SCRIPT = (sources.FOLDER / "framework_check.py").read_text(encoding="utf-8")
STAND_INS = Path(standin.__file__).parent / "frameworks"
NONCE = "c0ffee"
GIB = 1 << 30
ARCHITECTURES = ["sm_70", "sm_80", "sm_90"]


def gpus(count: int, busy: int | None = None) -> GpuFacts:
    cards = (
        Gpu(index, f"GPU-{index}", "NVIDIA A100-SXM4-80GB", None, "8.0", 81920, 400 if index != busy else 40960)
        for index in range(count)
    )
    return GpuFacts(nvidia_smi=0, gpus=tuple(cards))


def cuda(count: int, **more: Any) -> dict[str, Any]:
    card = {"free": 79 * GIB, "total": 80 * GIB}
    return {"cuda": "12.4", "architectures": ARCHITECTURES, "gpus": [card] * count, **more}


class Environment:
    """A real venv with the stand-in, and a temporary folder of its own."""

    def __init__(self, root: Path, python: str = sys.executable) -> None:
        command = [python, "-m", "venv", "--without-pip", str(root / "env")]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        self.python = root / "env/bin/python"
        (self.site,) = (root / "env").glob("lib/python3*/site-packages")
        self.temporary = root / "tmp"
        self.temporary.mkdir()
        self.marker = root / "pids"

    def torch(self) -> Environment:
        shutil.copytree(STAND_INS / "torch", self.site / "torch")
        return self

    def start(self, asked: bytes, told: dict[str, Any], **variables: str) -> subprocess.Popen[bytes]:
        env = {name: text for name, text in os.environ.items() if not name.endswith("VISIBLE_DEVICES")}
        env.update({"TMPDIR": str(self.temporary), "STAND_IN_TORCH": json.dumps({"marker": str(self.marker), **told})})
        command = [str(self.python), "-I", "-B", "-c", SCRIPT, NONCE]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env={**env, **variables})
        assert process.stdin is not None
        process.stdin.write(asked)
        process.stdin.close()
        process.stdin = None
        return process

    def check(
        self, told: dict[str, Any], facts: GpuFacts, *, timeout: float = 30, total: float = 90, **variables: str
    ) -> FrameworkReport:
        with self.start(question(facts, timeout=timeout, total=total), told, **variables) as process:
            output, said = process.communicate(timeout=100)
        assert (process.returncode, said) == (0, b"")
        assert not list(self.temporary.iterdir())
        return parse_report(output, NONCE)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path).torch()


def codes(report: FrameworkReport, facts: GpuFacts) -> list[str]:
    return [one.code for one in judge(report, facts, expect_gpu=bool(facts.gpus))]


def gone(pid: int) -> bool:
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return True
        time.sleep(0.05)
    return False


def pythons() -> list[str]:
    folder = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))) / "versions"
    return [sys.executable, *(str(one) for one in sorted(folder.glob("3.*/bin/python")))]


@pytest.mark.parametrize("python", pythons())
def test_two_gpus_compute_copy_and_add_up_with_every_python_here(python: str, tmp_path: Path) -> None:
    report = Environment(tmp_path, python).torch().check(cuda(2), gpus(2))
    (framework,) = report.frameworks
    assert [one.device for one in framework.computations] == ["GPU-0", "GPU-1"]
    assert [one.what for one in framework.exchanges] == ["copy", "all-reduce"]
    assert codes(report, gpus(2)) == []
    assert summary(report) == "torch 2.5.1+cu124 computes on all 2"


def test_the_description_says_what_the_build_is(environment: Environment) -> None:
    (framework,) = environment.check(cuda(1), gpus(1)).frameworks
    description = framework.description
    assert description is not None
    assert (description.kind, description.cuda, description.nccl) == ("cuda", "12.4", "2.21.5")
    assert (description.cudnn, description.architectures) == ("90100", tuple(ARCHITECTURES))
    assert [(one.name, one.capability, one.memory) for one in description.devices] == [
        ("NVIDIA A100-SXM4-80GB", "8.0", 80 * GIB)
    ]
    (computed,) = framework.computations
    assert computed.bfloat16_done
    assert computed.memory is not None
    assert computed.memory.allocated == int(79 * GIB * 0.9)


def test_a_cpu_host_with_a_cpu_build_passes_without_a_word(environment: Environment) -> None:
    report = environment.check({}, GpuFacts())
    assert codes(report, GpuFacts()) == []
    assert not [said for one in report.frameworks for said in one.outcome.said]
    assert summary(report) == "torch 2.5.1+cpu computes on the CPU"


def test_a_cuda_build_on_a_cpu_host_computes_on_the_cpu(environment: Environment) -> None:
    report = environment.check({"cuda": "12.4", "architectures": ARCHITECTURES}, GpuFacts())
    assert codes(report, GpuFacts()) == []
    assert summary(report) == "torch 2.5.1+cu124 computes on the CPU"
    description = report.frameworks[0].description
    assert description is not None
    assert description.architectures == tuple(ARCHITECTURES)


def test_a_cpu_build_on_a_gpu_host_is_told(environment: Environment) -> None:
    assert codes(environment.check({}, gpus(1)), gpus(1)) == ["ENV-CPU-BUILD"]


def test_amd_gpus_are_chosen_by_their_own_variable(environment: Environment) -> None:
    card = {"free": 60 * GIB, "total": 64 * GIB, "name": "AMD Instinct MI300X", "architecture": "gfx942:sramecc+"}
    told = {"version": "2.5.1+rocm6.2", "hip": "6.2.1", "architectures": ["gfx942"], "gpus": [card] * 2}
    facts = GpuFacts(amd="amd-smi")
    report = environment.check({**told, "faults": {"1": "wrong"}}, facts)
    (finding, _) = judge(report, facts, expect_gpu=True)
    assert (finding.code, "GPU 1" in finding.message) == ("FRAMEWORK-WRONG-RESULT", True)
    assert summary(report) == "torch 2.5.1+rocm6.2 computes on 1 of 2"
    description = report.frameworks[0].description
    assert description is not None
    assert (description.kind, description.devices[0].architecture) == ("hip", "gfx942")


def test_an_environment_without_frameworks_has_nothing_to_prove(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    # What an uninstalled package leaves behind is no package.
    (environment.site / "jax/__pycache__").mkdir(parents=True)
    report = environment.check({}, gpus(1))
    assert report.frameworks == ()
    assert summary(report) is None


def test_one_wrong_gpu_is_named_and_the_others_are_not_blamed(environment: Environment) -> None:
    report = environment.check(cuda(3, faults={"1": "wrong"}), gpus(3))
    findings = judge(report, gpus(3), expect_gpu=True)
    assert {one.code for one in findings} == {"FRAMEWORK-WRONG-RESULT"}
    assert all("GPU 1" in one.message for one in findings)
    assert summary(report) == "torch 2.5.1+cu124 computes on 2 of 3"


def test_a_result_that_is_no_number_is_wrong(environment: Environment) -> None:
    findings = judge(environment.check(cuda(1, faults={"0": "nan"}), gpus(1)), gpus(1), expect_gpu=True)
    assert {one.code for one in findings} == {"FRAMEWORK-WRONG-RESULT"}
    assert "is no number" in findings[0].message


def test_a_crash_on_one_gpu_says_by_what_signal_and_what_was_printed(environment: Environment) -> None:
    report = environment.check(cuda(2, faults={"0": "segv"}), gpus(2))
    (finding,) = judge(report, gpus(2), expect_gpu=True)
    assert finding.code == "FRAMEWORK-FAILED"
    assert "GPU 0: the interpreter was killed by SIGSEGV (Fatal Python error: Segmentation fault)" in finding.message


def test_a_gpu_that_hangs_ends_at_the_limit_with_all_that_it_started(environment: Environment) -> None:
    report = environment.check(cuda(2, faults={"1": "hang"}), gpus(2), timeout=3)
    (finding,) = judge(report, gpus(2), expect_gpu=True)
    assert (finding.code, "GPU 1: it took more than 3 s" in finding.message) == ("FRAMEWORK-FAILED", True)
    (pid,) = environment.marker.read_text().split()
    assert gone(int(pid))


def test_an_exit_without_a_word_is_a_failure(environment: Environment) -> None:
    (finding,) = judge(environment.check(cuda(1, faults={"0": "exit"}), gpus(1)), gpus(1), expect_gpu=True)
    assert "exit code 9" in finding.message


@pytest.mark.parametrize("fault", ["segv", "exit", "libcudnn.so.9: cannot open shared object file"])
def test_a_framework_that_does_not_start_is_told_once(environment: Environment, fault: str) -> None:
    report = environment.check(cuda(2, **{"import": fault}), gpus(2))
    assert codes(report, gpus(2)) == ["FRAMEWORK-FAILED"]
    assert summary(report) == "torch cannot be used"


def test_a_framework_whose_import_hangs_ends_at_the_limit(environment: Environment) -> None:
    report = environment.check(cuda(1, **{"import": "hang"}), gpus(1), timeout=2)
    assert codes(report, gpus(1)) == ["FRAMEWORK-FAILED"]
    assert gone(int(environment.marker.read_text()))


def test_why_no_gpu_is_seen_is_asked_and_told_once(environment: Environment) -> None:
    report = environment.check(cuda(2, refusal="Error 802: system not yet initialized"), gpus(2))
    (finding,) = judge(report, gpus(2), expect_gpu=True)
    assert finding.code == "FRAMEWORK-NO-DEVICE"
    assert "fabric manager" in finding.message


def test_hidden_gpus_are_explained_by_the_variable(environment: Environment) -> None:
    report = environment.check(cuda(2), gpus(2), CUDA_VISIBLE_DEVICES="")
    (finding,) = judge(report, gpus(2), expect_gpu=True)
    assert finding.code == "FRAMEWORK-NO-DEVICE"
    assert "CUDA_VISIBLE_DEVICES is set to ''" in finding.message


def test_a_gpu_that_only_nvidia_smi_sees_does_not_compute(environment: Environment) -> None:
    findings = judge(environment.check(cuda(1), gpus(2)), gpus(2), expect_gpu=True)
    assert [one.code for one in findings[:2]] == ["FRAMEWORK-DEVICES", "FRAMEWORK-FAILED"]
    assert "GPU 1" in findings[1].message


def test_memory_that_cannot_be_had_is_told(environment: Environment) -> None:
    report = environment.check(cuda(1, faults={"0": "hoard"}), gpus(1))
    assert codes(report, gpus(1)) == ["FRAMEWORK-MEMORY"]


@pytest.mark.parametrize(
    ("told", "facts"),
    [
        (cuda(1, gpus=[{"free": 40 * GIB, "total": 80 * GIB}], faults={"0": "hoard"}), gpus(1)),
        (cuda(1, faults={"0": "hoard"}), gpus(1, busy=0)),
        (cuda(1, faults={"0": "hoard"}, integrated=1), gpus(1)),
    ],
    ids=["somebody trains there", "somebody trained there a moment ago", "it is the machine's own memory"],
)
def test_memory_that_others_may_need_is_left_alone(
    environment: Environment, told: dict[str, Any], facts: GpuFacts
) -> None:
    report = environment.check(told, facts)
    assert codes(report, facts) == []
    memory = report.frameworks[0].computations[0].memory
    assert memory is not None
    assert memory.allocated is None
    assert memory.reason in {"busy", "shared"}


def test_a_copy_that_arrives_changed_is_told(environment: Environment) -> None:
    (finding,) = judge(environment.check(cuda(2, faults={"copy": "wrong"}), gpus(2)), gpus(2), expect_gpu=True)
    assert finding.code == "FRAMEWORK-COLLECTIVE"
    assert "0 to 1, 1 to 0" in finding.message


def test_a_wrong_sum_is_told(environment: Environment) -> None:
    (finding,) = judge(environment.check(cuda(2, faults={"reduce": "wrong"}), gpus(2)), gpus(2), expect_gpu=True)
    assert (finding.code, "the sum is wrong" in finding.message) == ("FRAMEWORK-COLLECTIVE", True)


def test_the_rank_that_failed_is_blamed_and_not_those_that_waited_for_it(environment: Environment) -> None:
    told = cuda(3, faults={"rank 2": "NCCL error"}, reduce_says="box:9 [2] NCCL WARN Call to posix_fallocate failed\n")
    began = time.monotonic()
    (finding,) = judge(environment.check(told, gpus(3), timeout=80), gpus(3), expect_gpu=True)
    assert time.monotonic() - began < 70
    assert "RuntimeError: NCCL error (box:9 [2] NCCL WARN Call to posix_fallocate failed)" in finding.message


def test_an_all_reduce_that_hangs_ends_at_the_limit(environment: Environment) -> None:
    report = environment.check(cuda(2, faults={"rank 0": "hang"}), gpus(2), timeout=4)
    (finding,) = judge(report, gpus(2), expect_gpu=True)
    assert (finding.code, "more than 4 s" in finding.message) == ("FRAMEWORK-COLLECTIVE", True)
    assert gone(int(environment.marker.read_text()))


def test_a_warning_is_reported_once_whatever_the_number_of_gpus(environment: Environment) -> None:
    text = "NVIDIA A100 with CUDA capability sm_80 is not compatible with the current PyTorch installation."
    (finding,) = judge(environment.check(cuda(2, warning=text), gpus(2)), gpus(2), expect_gpu=True)
    assert finding.code == "FRAMEWORK-WARNING"
    assert finding.message == f"torch 2.5.1+cu124 warns: UserWarning: {text}"


def test_what_is_printed_never_reaches_the_report_and_is_cut_short(environment: Environment) -> None:
    line = f"{NONCE} {{}}\n" + "x" * 3000 + "\nlast words\n"
    (framework,) = environment.check({"printed": line, "times": 100}, GpuFacts()).frameworks
    assert sum(len(one.text) for one in framework.outcome.said) < 60_000
    assert framework.outcome.said[-1].text == "last words"


def test_all_share_one_budget(environment: Environment) -> None:
    report = environment.check(cuda(1, faults={"0": "hang"}), gpus(1), timeout=50, total=4)
    (finding,) = judge(report, gpus(1), expect_gpu=True)
    assert "no time was left for it" in finding.message


def test_a_check_that_is_ended_leaves_no_process_and_no_folder(environment: Environment) -> None:
    told = cuda(1, marker=str(environment.marker), faults={"0": "hang"})
    with environment.start(question(gpus(1)), told) as process:
        for _ in range(600):
            if environment.marker.exists() and environment.marker.read_text().endswith("\n"):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert NONCE.encode() not in output
    assert gone(int(environment.marker.read_text()))
    assert not list(environment.temporary.iterdir())


def hanging(environment: Environment) -> subprocess.Popen[bytes]:
    """Start a check whose computation hangs, and wait until it does."""
    process = environment.start(question(gpus(1)), cuda(1, faults={"0": "hang"}))
    for _ in range(600):
        if environment.marker.exists() and environment.marker.read_text().endswith("\n"):
            return process
        time.sleep(0.05)
    raise AssertionError("it never began")


def test_a_check_that_is_killed_leaves_no_process_and_no_folder(environment: Environment) -> None:
    with hanging(environment) as process:
        process.kill()
    assert gone(int(environment.marker.read_text()))
    for _ in range(100):
        if not list(environment.temporary.iterdir()):
            return
        time.sleep(0.05)
    raise AssertionError("its folder is still there")


def test_a_second_check_waits_for_the_first_and_says_so_where_that_does_not_end(environment: Environment) -> None:
    with hanging(environment) as first:
        with environment.start(question(gpus(1), total=2), cuda(1)) as second:
            output, _ = second.communicate(timeout=60)
        (finding,) = judge(parse_report(output, NONCE), gpus(1), expect_gpu=True)
        assert finding.code == "FRAMEWORK-FAILED"
        assert "another check on this host" in finding.message
        with environment.start(question(gpus(1)), cuda(1)) as third:
            first.kill()
            output, _ = third.communicate(timeout=60)
    assert judge(parse_report(output, NONCE), gpus(1), expect_gpu=True) == ()
    assert not list(environment.temporary.iterdir())


def test_what_a_restart_left_of_a_check_is_removed_by_the_next(environment: Environment) -> None:
    left = environment.temporary / f"provision-check-{os.getuid()}"
    (left / "cache").mkdir(parents=True)
    left.chmod(0o700)
    (left / "meeting").write_text("of yesterday")
    assert codes(environment.check(cuda(2), gpus(2)), gpus(2)) == []


@pytest.mark.parametrize("others", ["a link", "open to all"])
def test_a_folder_that_others_may_write_is_neither_used_nor_emptied(environment: Environment, others: str) -> None:
    path = environment.temporary / f"provision-check-{os.getuid()}"
    there = path if others == "open to all" else environment.site.parent / "elsewhere"
    there.mkdir()
    (there / "theirs").write_text("kept")
    if others == "a link":
        path.symlink_to(there)
    else:
        there.chmod(0o777)
    with environment.start(question(gpus(1)), cuda(1)) as process:
        output, _ = process.communicate(timeout=60)
    assert judge(parse_report(output, NONCE), gpus(1), expect_gpu=True) == ()
    assert (there / "theirs").read_text() == "kept"
    assert list(environment.temporary.iterdir()) == [path]


@pytest.mark.parametrize(("built", "devices", "kind"), [(True, 1, "cuda"), (False, 0, "cpu")])
def test_a_tensorflow_that_cannot_describe_itself_starts_all_the_same(
    tmp_path: Path, *, built: bool, devices: int, kind: str
) -> None:
    """Its first versions have neither get_build_info nor get_device_details."""
    environment = Environment(tmp_path)
    (environment.site / "tensorflow.py").write_text(
        "from types import SimpleNamespace as Names\n"
        f"__version__, seen = '2.0.0', ['GPU'] * {devices}\n"
        "growth = Names(list_physical_devices=lambda kind: seen, set_memory_growth=lambda *_: None)\n"
        "config, sysconfig = Names(experimental=growth), Names()\n"
        f"test = Names(is_built_with_cuda=lambda: {built})\n"
    )
    facts = gpus(devices)
    (framework,) = environment.check({}, facts).frameworks
    assert framework.outcome.ok
    assert framework.description is not None
    assert (framework.description.kind, framework.description.count) == (kind, devices)
    # There is no numpy here: it was asked to compute, and that is what failed.
    (computed,) = framework.computations
    assert "numpy" in (computed.outcome.error or "")


def test_nothing_is_written_beside_the_interpreter(environment: Environment) -> None:
    before = sorted(environment.site.rglob("*"))
    environment.check(cuda(2), gpus(2))
    assert sorted(environment.site.rglob("*")) == before
