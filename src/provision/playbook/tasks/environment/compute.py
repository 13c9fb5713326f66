"""The check that proves a machine: what the environment is for computes on every GPU; the record of a passed one."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from provision.model.plan import Run, Step
from provision.playbook.tasks.environment.proof import REPEATED, depends, withdrawn
from provision.remote import catalogue

if TYPE_CHECKING:
    from provision.environment.spec import EnvironmentSpec
    from provision.model.facts import Facts, Generation
    from provision.model.plan import Finding, Program
    from provision.playbook.tasks.environment.request import Request, Wanted

SCRIPT = "framework_check.py"
LONGEST = 1200.0
"""Seconds for all frameworks on all GPUs; the script itself ends earlier."""


def computes(wanted: Wanted, facts: Facts) -> bool:
    """Whether there is a GPU that the environment is for: NVIDIA's where it is built for CUDA, or another maker's."""
    others = any(one.vendor != "nvidia" for one in facts.gpu.gpus)
    return others or (wanted.gpu and bool(facts.gpu.gpus))


def compute(request: Request, facts: Facts, wanted: Wanted, generation: Generation, *, record: bool = True) -> Step:
    """Return the step that lets each framework compute on each GPU.

    A failure speaks of the host, not of the build. It withdraws the record of an earlier success, in `verify` too, so
    that the next `up` computes again.
    """
    # Imported late: a converged host needs neither the question nor the judge.
    from provision.environment.deepcheck import asks_for_python
    from provision.environment.frameworks import absence, judge_output, parse_report, question, summary

    prefix = f"{wanted.base}/{generation.name}"
    nonce = hashlib.sha256(f"compute {prefix}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    chosen = _chooses_cpu(wanted.spec)
    with_python = bool(wanted.spec.pip) or asks_for_python(wanted.spec.dependencies)

    def judge(output: bytes) -> tuple[Finding, ...]:
        return judge_output(output, nonce, facts.gpu, expect_gpu=True, cpu_chosen=chosen, python_expected=with_python)

    def passed(output: bytes) -> Program:
        said = without = None
        try:
            report = parse_report(output, nonce)
            said, without = summary(report), absence(report)
        except ValueError:
            without = "no Python to compute with"
        record = {"format": 1, "depends": _depends(facts, generation), "summary": said, "without": without}
        text = json.dumps(record, separators=(",", ":"))
        return catalogue.write_record(facts.state_dir, facts.system.machine_id or "none", record_name(request), text)

    cards = len(facts.gpu.gpus)
    return Step(
        f"compute with {request.name} {generation.name} on " + ("the GPU" if cards == 1 else f"all {cards} GPUs"),
        "it was not proven on this boot, with this driver, these cards and these packages" if record else REPEATED,
        Run(
            catalogue.python(
                f"{prefix}/bin/python", SCRIPT, (nonce,), prefix=prefix, data=question(facts.gpu), timeout=LONGEST
            ),
            judge=judge,
            record=passed if record else None,
            on_fail=withdrawn(facts, record_name(request)),
            judges_host=True,
        ),
        changed=False,
    )


def computed(request: Request, facts: Facts, generation: Generation) -> bool:
    """Whether the check passed under all that holds now."""
    record = facts.record(record_name(request))
    return record is not None and record.get("depends") == _depends(facts, generation)


def seen_computing(request: Request, facts: Facts, generation: Generation) -> bool:
    """Whether a framework of it computed here; a check that found no framework says nothing of that."""
    record = facts.record(record_name(request))
    return computed(request, facts, generation) and record is not None and bool(record.get("summary"))


def record_name(request: Request) -> str:
    """Return the name of the record of a passed check."""
    return f"compute-{request.project}-{request.name}"


def _depends(facts: Facts, generation: Generation) -> dict[str, Any]:
    return {**depends(facts, generation), "script": catalogue.script_digest(SCRIPT)}


def _chooses_cpu(spec: EnvironmentSpec) -> bool:
    from provision.environment.builds import asks_for_cpu, pip_asks_for_cpu
    from provision.environment.matchspec import parse

    for text in spec.dependencies:
        try:
            if asks_for_cpu(parse(text)):
                return True
        except ValueError:
            continue
    return pip_asks_for_cpu(spec.pip)
