"""A framework for the CPU beside one that computes on the GPUs."""

from __future__ import annotations

import pytest

from provision.environment.frameworks import judge
from provision.environment.frameworks.report import Computation, Description, Framework, FrameworkReport, Outcome
from provision.model.facts import Gpu, GpuFacts
from provision.model.plan import Severity

OK = Outcome(ok=True)
BOX = GpuFacts(
    nvidia_smi=0,
    gpus=tuple(Gpu(index, f"GPU-{index}", "NVIDIA A10", compute_capability="8.6") for index in range(2)),
    driver="550.54.14",
)
JAX_CPU = Framework("jax", OK, Description("0.10.2", "cpu"), (Computation("cpu", OK, 1e-7),))
TENSORFLOW = Framework("tensorflow", OK, Description("2.18.0", "cuda", error="Cannot dlopen some GPU libraries"))
CODES = {"ENV-CPU-BUILD", "FRAMEWORK-NO-DEVICE"}


def torch(*results: float) -> Framework:
    done = tuple(Computation(f"GPU-{index}", OK, result) for index, result in enumerate(results))
    return Framework("torch", OK, Description("2.5.1+cu124", "cuda", architectures=("sm_86",), count=2), done)


def severities(*frameworks: Framework) -> list[Severity]:
    found = judge(FrameworkReport("3.12.4", "/env", frameworks), BOX, expect_gpu=True)
    return [one.severity for one in found if one.code in CODES]


@pytest.mark.parametrize("other", [JAX_CPU, TENSORFLOW], ids=["built for the CPU", "sees no GPU"])
def test_beside_one_that_computes_on_every_gpu_it_is_a_warning_in_any_order(other: Framework) -> None:
    assert severities(torch(1e-7, 1e-7), other) == [Severity.WARNING]
    assert severities(other, torch(1e-7, 1e-7)) == [Severity.WARNING]


@pytest.mark.parametrize("other", [JAX_CPU, TENSORFLOW], ids=["built for the CPU", "sees no GPU"])
def test_alone_or_beside_one_that_leaves_a_gpu_out_it_makes_the_host_unfit(other: Framework) -> None:
    assert severities(other) == [Severity.ERROR]
    assert severities(torch(1e-7), other) == [Severity.ERROR]
    assert severities(torch(1e-7, 0.5), other) == [Severity.ERROR]


def test_two_that_both_see_nothing_do_not_excuse_each_other() -> None:
    assert severities(JAX_CPU, TENSORFLOW) == [Severity.ERROR, Severity.ERROR]
