"""What is made of a report about frameworks: builds, GPUs seen, results, memory, exchanges, warnings."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.frameworks import absence, judge, judge_output, parse_report, question, summary
from provision.environment.frameworks.causes import NOISE, cause, is_noise
from provision.environment.frameworks.report import (
    Computation,
    Description,
    Device,
    Exchange,
    Framework,
    FrameworkReport,
    Memory,
    Outcome,
    Said,
)
from provision.environment.frameworks.said import folded
from provision.gpu.code import Code, code_for, code_for_amd
from provision.model.facts import Gpu, GpuFacts
from provision.model.plan import Finding, Severity

NONCE = "c0ffee"
GIB = 1 << 30
OK = Outcome(ok=True, seconds=3.0)
WHEEL_CU124 = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")
WHEEL_CU128 = ("sm_70", "sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
WHEEL_CU130 = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120")


def box(count: int, capability: str = "8.0", name: str = "NVIDIA A100-SXM4-80GB") -> GpuFacts:
    gpus = (Gpu(index, f"GPU-{index}", name, compute_capability=capability) for index in range(count))
    return GpuFacts(nvidia_smi=0, gpus=tuple(gpus), driver="550.54.14")


def description(count: int, **changes: Any) -> Description:
    device = Device("NVIDIA A100-SXM4-80GB", "8.0", None, 80 * GIB)
    usual = Description(
        version="2.5.1+cu124",
        kind="cuda",
        cuda="12.4",
        architectures=WHEEL_CU124,
        count=count,
        devices=(device,) * count,
    )
    return replace(usual, **changes)


def computed(device: str = "GPU-0", **changes: Any) -> Computation:
    memory = Memory(79 * GIB, 80 * GIB, 71 * GIB)
    return replace(Computation(device, OK, 3.3e-7, 3.8e-3, True, 0.5, 0.001, memory), **changes)


def torch(count: int = 1, **changes: Any) -> Framework:
    usual = Framework("torch", OK, description(count), tuple(computed(f"GPU-{index}") for index in range(count)))
    return replace(usual, **changes)


def report(*frameworks: Framework) -> FrameworkReport:
    return FrameworkReport("3.12.4", "/env", frameworks)


def judged(framework: Framework, gpus: GpuFacts, *, expect_gpu: bool = True) -> tuple[Finding, ...]:
    return judge(report(framework), gpus, expect_gpu=expect_gpu)


def codes(framework: Framework, gpus: GpuFacts, *, expect_gpu: bool = True) -> list[str]:
    return [one.code for one in judged(framework, gpus, expect_gpu=expect_gpu)]


def blind(error: str | None, **changes: Any) -> Framework:
    return torch(0, description=description(0, error=error, **changes))


def test_eight_gpus_that_compute_are_fit() -> None:
    exchanges = (Exchange("copy", OK), Exchange("all-reduce", OK))
    framework = torch(8, exchanges=exchanges)
    assert codes(framework, box(8)) == []
    assert summary(report(framework)) == "torch 2.5.1+cu124 computes on all 8"


def test_the_summary_speaks_of_every_framework() -> None:
    cpu = Framework("jax", OK, Description("0.10.2", "cpu"), (computed("cpu", memory=None),))
    bad = torch(2, computations=(computed("GPU-0"), computed("GPU-1", float32=0.3)))
    gone = Framework("tensorflow", Outcome(ok=False, error="ImportError: x"), None)
    assert summary(report(torch(1), cpu, bad, gone, blind(None))) == (
        "torch 2.5.1+cu124 computes on the GPU; jax 0.10.2 computes on the CPU; torch 2.5.1+cu124 computes on 1 of 2;"
        " tensorflow cannot be used; torch 2.5.1+cu124 computes nowhere"
    )
    assert summary(report()) is None


def test_an_environment_without_a_framework_says_what_is_missing() -> None:
    assert absence(report()) == "no torch, jax or tensorflow to compute with"
    assert absence(report(torch(1))) is None


def test_the_summary_names_slices_as_such() -> None:
    assert (
        summary(report(torch(1, computations=(computed("MIG-1"),)))) == "torch 2.5.1+cu124 computes on the MIG device"
    )
    two = (computed("MIG-1"), computed("MIG-2", float32=0.3))
    assert summary(report(torch(1, computations=two))) == "torch 2.5.1+cu124 computes on 1 of 2 MIG devices"


# --- builds ---


def test_a_cpu_build_is_an_error_where_the_gpu_is_meant_to_be_used() -> None:
    cpu = Framework("torch", OK, Description("2.5.1+cpu", "cpu"), (computed("cpu"),))
    (finding,) = judged(cpu, box(1))
    assert (finding.code, finding.severity) == ("ENV-CPU-BUILD", Severity.ERROR)
    # That it was chosen is told when the packages are read back, which does not see jax from PyPI.
    assert judge(report(cpu), box(1), expect_gpu=True, cpu_chosen=True) == ()
    jax = Framework("jax", OK, Description("0.10.2", "cpu"), (computed("cpu", memory=None),))
    (chosen,) = judge(report(jax), box(1), expect_gpu=True, cpu_chosen=True)
    assert (chosen.code, chosen.severity) == ("ENV-CPU-BUILD", Severity.WARNING)
    assert codes(cpu, box(1), expect_gpu=False) == []
    assert codes(cpu, GpuFacts(), expect_gpu=False) == []


@pytest.mark.parametrize(
    ("architectures", "capability", "code"),
    [
        (WHEEL_CU124, "8.0", Code.MACHINE),
        (WHEEL_CU124, "8.9", Code.MACHINE),
        (WHEEL_CU124, "6.1", Code.MACHINE),
        (WHEEL_CU124, "9.0", Code.MACHINE),
        (WHEEL_CU124, "10.0", Code.NONE),
        (WHEEL_CU124, "12.0", Code.NONE),
        (WHEEL_CU124, "3.7", Code.NONE),
        (WHEEL_CU128, "6.1", Code.NONE),
        (WHEEL_CU128, "10.3", Code.MACHINE),
        (WHEEL_CU128, "12.1", Code.MACHINE),
        (WHEEL_CU130, "7.0", Code.NONE),
        (WHEEL_CU130, "12.1", Code.MACHINE),
        (WHEEL_CU130, "13.0", Code.PTX),
        (("sm_80", "compute_80"), "9.0", Code.PTX),
        (("sm_86", "compute_86"), "8.0", Code.NONE),
        (("sm_90a",), "9.0", Code.MACHINE),
        (("sm_100a",), "10.3", Code.NONE),
        (("compute_90a",), "10.0", Code.NONE),
        (("sm_100f",), "10.3", Code.MACHINE),
        (("compute_100f",), "10.3", Code.PTX),
        (("compute_100f",), "12.0", Code.NONE),
        ((), "8.0", Code.UNKNOWN),
        (("gfx90a",), "8.0", Code.UNKNOWN),
        (WHEEL_CU124, "[N/A]", Code.UNKNOWN),
        (WHEEL_CU124, None, Code.UNKNOWN),
    ],
)
def test_a_build_has_code_for_a_gpu(architectures: tuple[str, ...], capability: str | None, code: Code) -> None:
    assert code_for(architectures, capability) is code


@given(
    st.lists(st.sampled_from([*WHEEL_CU124, *WHEEL_CU130, "compute_80", "sm_90a"])),
    st.sampled_from([*WHEEL_CU130, "compute_52"]),
    st.sampled_from(["5.2", "7.0", "8.6", "9.0", "10.3", "12.1"]),
)
def test_more_architectures_never_make_a_build_fit_less(built: list[str], more: str, capability: str) -> None:
    order = [Code.UNKNOWN, Code.NONE, Code.PTX, Code.MACHINE]
    assert order.index(code_for([*built, more], capability)) >= order.index(code_for(built, capability))


def test_a_wheel_without_code_for_this_gpu_is_an_error_that_names_both() -> None:
    (finding,) = judged(torch(1), box(1, "12.0", "NVIDIA GeForce RTX 5090"))
    assert (finding.code, finding.severity) == ("WHEEL-NO-ARCH", Severity.ERROR)
    assert "RTX 5090 (12.0)" in finding.message
    assert "sm_90" in finding.message
    assert finding.fix == "install a build of torch for a newer CUDA"


def test_a_card_that_is_too_old_for_a_wheel_needs_an_older_one() -> None:
    old = torch(1, description=description(1, architectures=WHEEL_CU130))
    (finding,) = judged(old, box(2, "6.0", "Tesla P100-PCIE-16GB"))[:1]
    assert (finding.code, finding.fix) == ("WHEEL-NO-ARCH", "install a build of torch for an older CUDA")


def test_ptx_alone_is_a_slow_first_run() -> None:
    ptx = torch(1, description=description(1, architectures=("sm_80", "compute_80")))
    (finding,) = judged(ptx, box(1, "9.0", "NVIDIA H100 80GB HBM3"))
    assert (finding.code, finding.severity) == ("WHEEL-PTX-ONLY", Severity.WARNING)


def test_gpus_of_one_kind_are_judged_once() -> None:
    assert codes(torch(4), box(4, "12.0")) == ["WHEEL-NO-ARCH"]


def test_an_amd_build_is_compared_by_its_own_names() -> None:
    assert code_for_amd(("gfx90a", "gfx942"), "gfx942") is Code.MACHINE
    assert code_for_amd(("gfx90a",), "gfx1100") is Code.NONE
    device = Device("AMD Radeon RX 7900 XTX", None, "gfx1100")
    built = description(1, kind="hip", cuda=None, hip="6.2", architectures=("gfx90a",), devices=(device,))
    assert codes(torch(1, description=built), GpuFacts(amd="amd-smi")) == ["WHEEL-NO-ARCH"]


# --- GPUs that are seen ---

UNEXPECTED = (
    "RuntimeError: Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling"
    " NumCudaDevices() that might have already set an error? Error "
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UNEXPECTED + "802: system not yet initialized", "fabric manager"),
        (UNEXPECTED + "803: system has unsupported display driver / cuda driver combination", "error 803"),
        (UNEXPECTED + "804: forward compatibility was attempted on non supported HW", "cuda-compat"),
        (UNEXPECTED + "46: CUDA-capable device(s) is/are busy or unavailable", "exclusive mode"),
        ("RuntimeError: The NVIDIA driver on your system is too old (found version 11040).", "error 35"),
        ("RuntimeError: No CUDA GPUs are available", "error 100"),
        ("RuntimeError: Found no NVIDIA driver on your system.", "libcuda.so is not found"),
        ("RuntimeError: CUDA unknown error - this may be due to an incorrectly set up environment", "error 999"),
        (
            "RuntimeError: jaxlib/cuda/versions_helpers.cc:135: operation cuInit(0) failed: Unknown CUDA error 303",
            "lib",
        ),
        (
            "RuntimeError: jaxlib/cuda/versions_helpers.cc:135: operation cuInit(0) failed: Unknown CUDA error 802;",
            "802",
        ),
        ("INTERNAL: CUDA error: Failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device", "error 100"),
    ],
)
def test_why_no_gpu_is_seen_is_explained(error: str, said: str) -> None:
    (finding,) = judged(blind(error), box(1))
    assert (finding.code, finding.severity) == ("FRAMEWORK-NO-DEVICE", Severity.ERROR)
    assert said in finding.message.replace(error, "")
    assert error in finding.message


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    (finding,) = judged(blind("RuntimeError: of another kind"), box(1))
    assert finding.message.endswith("sees no GPU: RuntimeError: of another kind")
    (silent,) = judged(blind(None), box(1))
    assert silent.message.endswith("it does not say why")


def test_what_jax_prints_explains_why_it_sees_none_and_is_no_warning_besides() -> None:
    printed = (
        "Jax plugin configuration error: Exception when calling jax_plugins.xla_cuda12.initialize()",
        "Traceback (most recent call last):",
        '  File "/env/lib/python3.11/site-packages/jax/_src/xla_bridge.py", line 508, in discover_pjrt_plugins',
        "    plugin_module.initialize()",
        "RuntimeError: jaxlib/cuda/versions_helpers.cc:135: operation cuInit(0) failed: Unknown CUDA error 303;",
    )
    outcome = Outcome(ok=True, said=tuple(Said(line) for line in printed))
    jax = Framework("jax", outcome, Description("0.10.2", "cuda", cuda="12.9"))
    (finding,) = judged(jax, box(1))
    assert finding.code == "FRAMEWORK-NO-DEVICE"
    assert "Unknown CUDA error 303" in finding.message
    assert codes(jax, GpuFacts(), expect_gpu=False) == []


def test_a_text_that_says_why_counts_more_than_one_that_only_says_that_nothing_works() -> None:
    printed = Said("E external/xla/cuda_driver.cc:152] failed call to cuInit: CUDA_ERROR_SYSTEM_NOT_READY: x")
    error = "RuntimeError: Unable to initialize backend 'cuda': FAILED_PRECONDITION: No visible GPU devices."
    jax = Framework("jax", Outcome(ok=True, said=(printed,)), Description("0.4.35", "cuda", error=error))
    (finding,) = judged(jax, box(8))
    assert "fabric manager" in finding.message
    (vague,) = judged(replace(jax, outcome=OK), box(8))
    assert "error 100" in vague.message


@pytest.mark.parametrize("visible", ["", "-1", "-1,0", "NoDevFiles"])
def test_a_variable_that_hides_every_gpu_is_named(visible: str) -> None:
    (finding,) = judged(blind("RuntimeError: No CUDA GPUs are available", visible=visible), box(1))
    assert f"CUDA_VISIBLE_DEVICES is set to {visible!r}" in finding.message
    assert finding.fix is not None
    assert finding.fix.startswith("unset CUDA_VISIBLE_DEVICES")


def test_a_variable_that_names_a_gpu_is_not_what_hides_it() -> None:
    (finding,) = judged(blind("RuntimeError: No CUDA GPUs are available", visible="1"), box(2))
    assert "error 100" in finding.message


def test_a_cuda_build_on_another_makers_gpu_is_told() -> None:
    (finding,) = judged(blind("RuntimeError: Found no NVIDIA driver"), GpuFacts(amd="amd-smi 6.2"))
    assert (finding.code, "the host has an AMD GPU" in finding.message) == ("FRAMEWORK-NO-DEVICE", True)


def test_where_nvidia_smi_shows_no_gpu_no_framework_is_blamed() -> None:
    assert codes(blind("RuntimeError: Found no NVIDIA driver"), GpuFacts(nvidia_smi=9)) == []


def test_fewer_gpus_than_nvidia_smi_shows_are_an_error_and_more_a_warning() -> None:
    (fewer,) = judged(torch(7), box(8))
    assert (fewer.code, fewer.severity) == ("FRAMEWORK-DEVICES", Severity.ERROR)
    (more,) = judged(torch(2), box(1))
    assert (more.code, more.severity) == ("FRAMEWORK-DEVICES", Severity.WARNING)
    (chosen,) = judged(torch(2, description=description(2, visible="0,1")), box(8))
    assert (chosen.severity, "'0,1'" in chosen.message) == (Severity.WARNING, True)


def test_of_devices_made_by_mig_a_process_sees_one() -> None:
    gpus = GpuFacts(0, gpus=(replace(box(1).gpus[0], mig=True),), mig_devices=("MIG-a", "MIG-b"))
    both = torch(1, computations=(computed("MIG-a"), computed("MIG-b")))
    assert codes(both, gpus) == []
    assert json.loads(question(gpus))["gpus"] == ["MIG-a", "MIG-b"]
    assert json.loads(question(box(2)))["gpus"] == ["GPU-0", "GPU-1"]


@pytest.mark.parametrize(
    ("total", "used", "busy"),
    [(81920, 500, False), (81920, 5000, True), (8192, 1500, False), (None, None, True), (81920, None, True)],
)
def test_a_gpu_in_use_or_that_does_not_say_keeps_its_memory(total: int | None, used: int | None, busy: bool) -> None:
    gpu = replace(box(1).gpus[0], memory_mib=total, memory_used_mib=used)
    assert (json.loads(question(GpuFacts(0, gpus=(gpu,))))["busy"] == ["GPU-0"]) is busy
    split = GpuFacts(0, gpus=(replace(gpu, mig=True),), mig_devices=("MIG-a",))
    assert ("MIG-a" in json.loads(question(split))["busy"]) is busy


# --- what they do ---


def test_failures_of_one_kind_are_told_once_for_all_gpus() -> None:
    failed = Outcome(ok=False, error="RuntimeError: CUDA error: no kernel image is available for execution")
    (finding,) = judged(
        torch(2, computations=(computed("GPU-0", outcome=failed), computed("GPU-1", outcome=failed))), box(2)
    )
    assert finding.code == "FRAMEWORK-FAILED"
    assert "GPU 0, GPU 1" in finding.message
    assert "holds no code for this GPU" in finding.message


@pytest.mark.parametrize(
    ("error", "fix"), [("ImportError: libGL.so.1", "libgl1"), ("ImportError: libcudnn.so.9", "CUDA")]
)
def test_a_framework_that_does_not_import_gets_the_known_cure(error: str, fix: str) -> None:
    (finding,) = judged(Framework("torch", Outcome(ok=False, error=error), None), box(1))
    assert (finding.code, finding.severity) == ("FRAMEWORK-FAILED", Severity.ERROR)
    assert fix in (finding.fix or "")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"float32": 1e-6}, []),
        ({"float32": 0.5}, ["float32"]),
        ({"float32": None}, ["float32"]),
        ({"bfloat16": 0.5}, ["bfloat16"]),
        ({"bfloat16": None}, ["bfloat16"]),
        ({"bfloat16": None, "bfloat16_done": False}, []),
    ],
)
def test_a_result_is_right_within_what_the_numbers_can_hold(changes: dict[str, Any], wrong: list[str]) -> None:
    findings = judged(torch(1, computations=(computed(**changes),)), box(1))
    assert {one.code for one in findings} <= {"FRAMEWORK-WRONG-RESULT"}
    assert [number for number in ("float32", "bfloat16") for one in findings if f" {number} " in one.message] == wrong


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (Memory(79 * GIB, 80 * GIB, 71 * GIB), []),
        (Memory(79 * GIB, 80 * GIB, 20 * GIB), ["FRAMEWORK-MEMORY"]),
        (Memory(79 * GIB, 80 * GIB, 0), ["FRAMEWORK-MEMORY"]),
        (Memory(20 * GIB, 80 * GIB, None, "busy"), []),
        (None, []),
    ],
)
def test_memory_that_cannot_be_had_is_a_warning(memory: Memory | None, expected: list[str]) -> None:
    assert codes(torch(1, computations=(computed(memory=memory),)), box(1)) == expected


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        (Exchange("copy", OK, ((0, 1),)), "other data arrived than was sent (0 to 1)"),
        (Exchange("all-reduce", OK, ((1, 1),)), "the sum is wrong"),
        (Exchange("all-reduce", Outcome(ok=False, error="it took more than 120 s", slow=True)), "more than 120 s"),
        (
            Exchange(
                "all-reduce",
                Outcome(
                    ok=False,
                    error="DistBackendError: NCCL error",
                    said=(Said("box:1:1 [0] NCCL WARN Error while creating shared memory segment /dev/shm/nccl-x"),),
                ),
            ),
            "/dev/shm is too small",
        ),
    ],
)
def test_gpus_that_do_not_come_together_are_an_error(exchange: Exchange, words: str) -> None:
    (finding,) = judged(torch(2, exchanges=(exchange,)), box(2))
    assert (finding.code, finding.severity) == ("FRAMEWORK-COLLECTIVE", Severity.ERROR)
    assert words in finding.message


# --- warnings ---


def saying(*said: Said) -> Framework:
    return torch(1, outcome=Outcome(ok=True, said=said))


def test_a_warning_is_a_finding_once() -> None:
    warned = Said("A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.0", "UserWarning")
    (finding,) = judged(saying(warned, warned), box(1))
    assert (finding.code, finding.severity) == ("FRAMEWORK-WARNING", Severity.WARNING)
    assert "numpy <2" in (finding.fix or "")


def test_many_warnings_are_counted_and_not_all_shown() -> None:
    findings = judged(saying(*(Said(f"odd thing {number}") for number in range(20))), box(1))
    assert len(findings) == 6
    assert findings[-1].message.endswith("warns of 15 more things")


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "I0000 00:00:1795376162.651916   32641 port.cc:153] oneDNN custom operations are on.",
        "2026-11-22 19:36:02.651916: I tensorflow/core/util/port.cc:153] something",
        "To enable the following instructions: AVX2 AVX512F, in other operations, rebuild TensorFlow",
        "NCCL version 2.21.5+cuda12.4",
        "Failed to initialize NumPy: No module named 'numpy' (Triggered internally at ../torch/csrc/utils:84.)",
    ],
)
def test_what_healthy_machines_print_is_left_out(line: str) -> None:
    assert codes(saying(Said(line)), box(1)) == []


def test_what_is_said_of_a_missing_gpu_counts_where_there_is_one() -> None:
    line = "W0000 00:00:1 gpu_device.cc:2341] Could not find cuda drivers on your machine, GPU will not be used."
    assert codes(saying(Said(line)), box(1)) == ["FRAMEWORK-WARNING"]
    assert is_noise(line, gpu=False)


def test_a_traceback_is_told_by_its_last_line() -> None:
    lines = ("before", "Traceback (most recent call last):", '  File "x"', "    call()", "KeyError: 'y'", "after")
    assert list(folded(Said(line) for line in lines)) == ["before", "KeyError: 'y'", "after"]


def test_every_line_of_noise_has_its_reason() -> None:
    assert all(one.reason for one in NOISE)


@pytest.mark.parametrize("number", [34, 35, 46, 100, 209, 214, 222, 802, 803, 804, 805, 999])
def test_each_error_code_is_known_by_its_number_alone(number: int) -> None:
    known = cause(f"CUDA error: {number}")
    assert known is not None
    assert known.meaning.startswith(f"error {number}:")


def test_a_number_that_only_contains_a_code_is_not_that_code() -> None:
    assert cause("error 8020") is None
    assert cause("terror 35") is None


# --- the report as text ---


def job(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "ok": True,
        "error": None,
        "slow": False,
        "linked": False,
        "seconds": 1.0,
        "warnings": [],
        "output": [],
    }
    return {**usual, "values": None, **changes}


def written(**changes: Any) -> dict[str, Any]:
    described = job(
        values={"version": "2.5.1", "kind": "cuda", "count": 1, "devices": [{"name": "A100"}], "cudnn": 90100}
    )
    done = job(id="GPU-0", kind="cuda", values={"float32": 1e-7, "memory": {"free": 5, "total": 9, "allocated": 4}})
    exchange = job(what="copy", values={"wrong": [[0, 1]]})
    one = {"name": "torch", "describe": described, "compute": [done], "exchange": [exchange]}
    return {"format": 1, "python": "3.12.4", "prefix": "/env", "frameworks": [one], "seconds": 9.5, **changes}


def encoded(answer: Any) -> bytes:
    return f"noise\n{NONCE} {json.dumps(answer)}\n".encode()


def test_a_report_is_read() -> None:
    (framework,) = parse_report(encoded(written()), NONCE).frameworks
    assert framework.description is not None
    assert (framework.description.cudnn, framework.description.architectures) == ("90100", ())
    assert framework.computations[0].memory == Memory(5, 9, 4)
    assert framework.exchanges[0].wrong == ((0, 1),)


def spoilt(path: list[Any], value: Any) -> dict[str, Any]:
    answer = written()
    inner: Any = answer
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return answer


DESCRIBED = ["frameworks", 0, "describe"]
COMPUTED = ["frameworks", 0, "compute", 0]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"format": 2},
        spoilt(["frameworks"], {}),
        spoilt(["frameworks"], [3]),
        spoilt(["frameworks"], [written()["frameworks"][0]] * 1000),
        spoilt([*DESCRIBED, "values", "count"], -1),
        spoilt([*DESCRIBED, "values", "count"], 10**400),
        spoilt([*DESCRIBED, "values", "count"], "8"),
        spoilt([*DESCRIBED, "values", "count"], True),
        spoilt([*DESCRIBED, "values", "version"], None),
        spoilt([*DESCRIBED, "values"], None),
        spoilt([*DESCRIBED, "output"], [{}]),
        spoilt([*COMPUTED, "values", "float32"], "0"),
        spoilt([*COMPUTED, "values", "float32"], float("nan")),
        spoilt([*COMPUTED, "values", "float32"], float("inf")),
        spoilt([*COMPUTED, "values", "memory"], [1]),
        spoilt(["frameworks", 0, "exchange", 0, "values", "wrong"], [[1]]),
        spoilt(["prefix"], "x" * 2_000_000),
    ],
)
def test_a_report_that_is_none_of_ours_is_a_finding_and_never_fit(answer: Any) -> None:
    (finding,) = judge_output(encoded(answer), NONCE, box(1), expect_gpu=True)
    assert (finding.code, finding.severity) == ("ENV-DEEP-CHECK", Severity.ERROR)


def test_long_texts_are_cut() -> None:
    answer = spoilt([*DESCRIBED, "values", "version"], "9" * 100_000)
    (framework,) = parse_report(encoded(answer), NONCE).frameworks
    assert framework.description is not None
    assert len(framework.description.version) < 1000


@given(st.binary(max_size=120))
def test_any_output_is_judged(output: bytes) -> None:
    assert judge_output(b"c0ffee " + output, NONCE, box(1), expect_gpu=True)[0].code == "ENV-DEEP-CHECK"


def leaves(value: Any, path: list[Any]) -> list[list[Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, inner in pairs for found in leaves(inner, [*path, key]))]


@given(
    st.sampled_from(leaves(written(), [])[1:]), st.sampled_from([None, -1, 1e308, "", "\x1b[31m", [], {}, [[]], True])
)
def test_one_strange_value_anywhere_never_breaks_the_judge(path: list[Any], value: Any) -> None:
    for one in judge_output(encoded(spoilt(path, value)), NONCE, box(1), expect_gpu=True):
        assert "\n" not in one.message


def test_an_environment_without_python_is_left_to_the_import_check() -> None:
    assert judge_output(b"no interpreter: /env/bin/python\n", NONCE, box(1), expect_gpu=True) == ()
