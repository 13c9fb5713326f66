"""Findings from what the frameworks of an environment did on a host's GPUs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.environment.deepcheck import NO_INTERPRETER, known_fix
from provision.environment.frameworks.causes import cause
from provision.environment.frameworks.devices import accelerated, architectures, count, cpu_build, no_device
from provision.environment.frameworks.report import identities, parse_report
from provision.environment.frameworks.results import computations, exchanges, proven
from provision.environment.frameworks.said import called, last_words, messages
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.environment.frameworks.report import Framework, FrameworkReport
    from provision.model.facts import GpuFacts

_SHOWN_WARNINGS = 5


def judge_output(
    output: bytes,
    nonce: str,
    gpus: GpuFacts,
    *,
    expect_gpu: bool,
    cpu_chosen: bool = False,
    python_expected: bool = False,
) -> tuple[Finding, ...]:
    """Judge the script's output; one without a report is a finding too, ENV-DEEP-CHECK.

    An environment whose file asks for no Python has no framework, and the import check has said what is to be said of
    it. Where one is expected and gone, nothing was computed: that is no success.
    """
    if output.startswith(NO_INTERPRETER) and not python_expected:
        return ()
    try:
        report = parse_report(output, nonce)
    except ValueError as error:
        return (Finding("ENV-DEEP-CHECK", Severity.ERROR, f"the frameworks could not be checked: {error}"),)
    return judge(report, gpus, expect_gpu=expect_gpu, cpu_chosen=cpu_chosen)


def judge(
    report: FrameworkReport, gpus: GpuFacts, *, expect_gpu: bool, cpu_chosen: bool = False
) -> tuple[Finding, ...]:
    """Return what is to be said of an environment's frameworks on this host.

    Args:
        report: What the script found.
        gpus: What nvidia-smi said; where it shows none, `provision.gpu` has said so, and no framework is blamed.
        expect_gpu: Whether this environment is meant to use the GPU.
        cpu_chosen: Whether the environment's file itself asks for a build for the CPU.
    """
    found: list[Finding] = []
    for framework in report.frameworks:
        found += _failed(framework)
        if framework.description is None:
            continue
        blind = tuple(no_device(framework, framework.description, gpus))
        unused = (*cpu_build(framework, framework.description, expect_gpu=expect_gpu, chosen=cpu_chosen), *blind)
        # One that reads data or draws curves beside the one that trains may well be for the CPU.
        spared = any(_computes_everywhere(one, gpus) for one in report.frameworks if one is not framework)
        found += (replace(one, severity=Severity.WARNING) if spared else one for one in unused)
        found += architectures(framework, framework.description, gpus)
        found += count(framework, framework.description, gpus)
        found += computations(framework, gpus)
        found += exchanges(framework)
        found += _warnings(framework, gpu=accelerated(gpus), explained=bool(blind))
    order = (Severity.ERROR, Severity.WARNING, Severity.INFO)
    return tuple(sorted(found, key=lambda one: order.index(one.severity)))


def _computes_everywhere(framework: Framework, gpus: GpuFacts) -> bool:
    """Whether it computed rightly on every GPU of the host, or on every device that MIG makes of one."""
    devices = identities(gpus) or tuple(one.uuid or str(one.index) for one in gpus.gpus)
    computed = {one.device for one in framework.computations if one.device != "cpu" and proven(one)}
    return bool(devices) and len(computed) >= len(devices)


def _failed(framework: Framework) -> Iterator[Finding]:
    outcome = framework.outcome
    if not outcome.ok:
        text = (outcome.error or "no reason was given") + last_words(outcome)
        known = cause(text)
        yield Finding(
            "FRAMEWORK-FAILED",
            Severity.ERROR,
            f"{framework.name} does not start: {text}",
            (known.fix if known else None) or known_fix(text),
        )


def _warnings(framework: Framework, *, gpu: bool, explained: bool) -> Iterator[Finding]:
    said = messages(framework, gpu=gpu)
    if explained:
        # What it says of the GPUs that it does not see stands in that finding.
        said = tuple(one for one in said if cause(one) is None and "plugin configuration" not in one)
    for text in said[:_SHOWN_WARNINGS]:
        known = cause(text)
        fix = known.fix if known else known_fix(text)
        yield Finding("FRAMEWORK-WARNING", Severity.WARNING, f"{called(framework)} warns: {text}", fix)
    if len(said) > _SHOWN_WARNINGS:
        more = f"{called(framework)} warns of {len(said) - _SHOWN_WARNINGS} more things"
        yield Finding("FRAMEWORK-WARNING", Severity.WARNING, more)
