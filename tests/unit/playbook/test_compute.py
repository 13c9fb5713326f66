"""The check that lets an environment compute on every GPU: when it is due, and what its record holds for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.environment.digest import digest
from provision.environment.spec import EnvironmentSpec
from provision.model.host import Host
from provision.model.plan import Run
from provision.playbook.tasks.environment import EnvironmentTask, Variant
from tests.facts_builder import a10, conda, environment, facts, generation, link, system

if TYPE_CHECKING:
    from provision.model.facts import Facts, GpuFacts

SPEC = EnvironmentSpec("mymodel", ("conda-forge",), ("python=3.12",), pip=("torch==2.9.1",))
WANTED = digest(SPEC, "linux-64", None, cuda=True)
BUILT = generation(f"1-{WANTED[:8]}", WANTED)
COMPUTE = f"compute with mymodel {BUILT.name} on the GPU"
IMPORT = f"import what mymodel {BUILT.name} is for"


def task(spec: EnvironmentSpec = SPEC, *, build_anyway: bool = False) -> EnvironmentTask:
    host = Host("box", "192.0.2.1")
    variants = (Variant(None, spec),)
    return EnvironmentTask("mymodel", "mymodel", variants, "~/miniconda3", host, False, build_anyway)


def seen(gpu: GpuFacts, *, built: bool = True) -> Facts:
    environments = (environment(BUILT, current=BUILT.name),) if built else ()
    return facts(gpu=gpu, condas=(conda(),), environments=environments, conda_links=(link(),) if built else ())


def names(at: Facts) -> list[str]:
    return [step.name for step in task().plan(at)]


def recorded(at: Facts) -> Facts:
    """The same host once every check that is due has passed and was recorded."""
    records = list(at.records)
    for step in task().plan(at):
        assert isinstance(step.action, Run)
        program = step.action.record(b"no report") if step.action.record else step.action.on_pass
        assert program is not None
        *_, name, text = program.arguments
        records.append((name, json.loads(text)))
    return replace(at, records=tuple(records))


def codes(at: Facts, one: EnvironmentTask | None = None) -> list[tuple[str, str]]:
    return [(found.code, found.severity.value) for found in (one or task()).objections(at)]


def test_a_gpu_host_computes_after_the_import_and_not_again_while_all_is_the_same() -> None:
    at = seen(a10())
    assert names(at) == [IMPORT, COMPUTE]
    assert names(recorded(at)) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"gpu": a10(driver="580.65.06", driver_loaded="580.65.06")},
        {"gpu": a10(gpus=(replace(a10().gpus[0], uuid="GPU-other"),))},
        {"system": system(boot_id="boot-2")},
    ],
    ids=["another driver", "another card", "a restart"],
)
def test_what_it_depends_on_makes_it_due_again(changed: dict[str, object]) -> None:
    at = recorded(seen(a10()))
    assert names(replace(at, **changed)) == [IMPORT, COMPUTE]  # type: ignore[arg-type]  # fields of Facts, by name


def test_a_build_in_the_plan_names_the_computation_as_its_last_check() -> None:
    assert names(seen(a10(), built=False))[-1] == f"compute with mymodel {BUILT.name} on every GPU"


def test_a_box_booted_without_its_gpu_computes_nothing() -> None:
    at = seen(a10(gpus=()))
    assert names(at) == [IMPORT]


def test_errors_of_the_computation_speak_of_the_host_and_reject_no_build() -> None:
    (step,) = [one for one in task().plan(seen(a10())) if one.name == COMPUTE]
    assert isinstance(step.action, Run)
    assert (step.action.judges_host, step.action.on_fail, step.changed) == (True, None, False)
    assert step.action.program.timeout >= 900


@pytest.mark.parametrize("kind", ["compute", "deep"])
def test_a_failed_check_withdraws_the_record_of_its_earlier_success_and_no_other(kind: str) -> None:
    at = recorded(seen(a10()))
    begins = "compute" if kind == "compute" else "import"
    (step,) = [one for one in task().checks(at) if one.name.startswith(begins)]
    assert isinstance(step.action, Run)
    assert step.action.on_fail is not None
    *_, name, text = step.action.on_fail.arguments
    assert name == f"{kind}-mymodel-mymodel"
    others = tuple(one for one in at.records if one[0] != name)
    assert len(others) == len(at.records) - 1
    after = replace(at, records=(*others, (name, json.loads(text))))
    assert names(after) == [COMPUTE if kind == "compute" else IMPORT]


def test_verify_writes_no_record_where_there_was_none() -> None:
    for step in task().checks(seen(a10())):
        assert isinstance(step.action, Run)
        assert (step.action.on_pass, step.action.record, step.action.on_fail) == (None, None, None)


def test_an_environment_that_asks_for_no_python_may_have_none() -> None:
    spec = EnvironmentSpec("mymodel", ("conda-forge",), ("r-base", "cuda-version=12.8"))
    built = generation(f"1-{digest(spec, 'linux-64', None, cuda=True)[:8]}", digest(spec, "linux-64", None, cuda=True))
    at = replace(seen(a10()), environments=(environment(built, current=built.name),))
    (step,) = [one for one in task(spec).checks(at) if one.name.startswith("compute")]
    assert isinstance(step.action, Run)
    assert step.action.judge is not None
    assert step.action.judge(b"no interpreter: /env/bin/python\n") == ()


def test_a_cuda_that_cannot_start_stops_a_build_unless_the_user_overrules_it() -> None:
    old = a10(driver="510.39.01", driver_loaded="510.39.01", cuda="11.6")
    at = seen(old, built=False)
    assert ("CUDA-TOO-NEW", "error") in codes(at)
    assert ("CUDA-TOO-NEW", "warning") in codes(at, task(build_anyway=True))
    # What is built already is no longer stopped, and still called what it is.
    there = seen(old)
    assert codes(there) == []
    assert ("CUDA-TOO-NEW", "error") in [(one.code, one.severity.value) for one in task().judge(there)]


def test_a_doubt_about_cuda_ends_when_something_was_seen_to_compute() -> None:
    at = recorded(seen(a10()))
    assert [one.code for one in task().judge(at)] == ["CUDA-LIMITED"]
    with_summary = tuple(
        (
            name,
            {**record, "summary": "torch 2.9.1+cu128 computes on the GPU"} if name.startswith("compute-") else record,
        )
        for name, record in at.records
    )
    assert [one.code for one in task().judge(replace(at, records=with_summary))] == []
