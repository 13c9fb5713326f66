"""The checks that prove a generation: what is installed is read back, and imported; the record of a passed one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provision.model.plan import Finding, Run, Severity, Step
from provision.remote import catalogue

if TYPE_CHECKING:
    from provision.model.facts import Facts, Generation
    from provision.model.plan import Program
    from provision.playbook.tasks.environment.request import Request, Wanted

REPEATED = "`verify` repeats every check"


def read_back(request: Request, facts: Facts, wanted: Wanted, generation: str, *, reject: bool) -> Step:
    """Return the step that compares what is installed with what was asked for; `reject`: it is not in use yet."""
    spec = wanted.spec
    prefix = f"{wanted.base}/{generation}"
    gpu = wanted.gpu

    def judge(output: bytes) -> tuple[Finding, ...]:
        from provision.environment.readback import judge_output

        found = judge_output(spec.dependencies, spec.pip, output, cuda_expected=gpu, lock=wanted.lock)
        if reject:
            return found
        # In use and damaged below what the probe can see: `up` trusts its record until somebody says so.
        fix = f"`echo damaged >{prefix}/.provision-rejected` there, then `provision up` builds it anew"
        return tuple(replace(one, fix=fix) if one.severity is Severity.ERROR else one for one in found)

    def kept(output: bytes) -> Program:
        # Beside the marker: it goes where the generation goes, and the probe never reads it.
        from provision.environment.drift_baseline import FILE, baseline

        return catalogue.write_file(f"{prefix}/{FILE}", "0644", baseline(output))

    return Step(
        f"read back {request.name} {generation}",
        "conda's exit code does not say what was installed" if reject else REPEATED,
        Run(
            catalogue.python(f"{request.conda(facts)}/bin/python", "list_packages.py", (prefix,), timeout=300),
            judge=judge,
            record=kept if reject else None,
            on_fail=catalogue.reject_generation(prefix, "not what was asked for") if reject else None,
        ),
        changed=False,
    )


def deep_check(
    request: Request, facts: Facts, wanted: Wanted, generation: Generation, *, reject: bool, record: bool = True
) -> Step:
    """Return the step that imports what the generation is for, by its own interpreter.

    A failure rejects the build, where nobody uses it yet; else it withdraws the record of an earlier success, in
    `verify` too, so that the next `up` imports again.
    """
    # Imported late: a converged host needs neither the question nor the judge.
    from provision.environment.deepcheck import judge_deep_check, question

    spec = wanted.spec
    prefix = f"{wanted.base}/{generation.name}"
    nonce = hashlib.sha256(prefix.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    folder = facts.system.machine_id or "none"
    record_of = {"format": 1, "depends": depends(facts, generation), "machine": machine(facts)}
    text = json.dumps(record_of, separators=(",", ":"))

    def judge(output: bytes) -> tuple[Finding, ...]:
        return judge_deep_check(output, nonce, spec.dependencies, spec.pip)

    return Step(
        f"import what {request.name} {generation.name} is for",
        "it was not proven on this boot, with this driver and these packages" if record else REPEATED,
        Run(
            catalogue.python(
                f"{prefix}/bin/python",
                "deep_check.py",
                (nonce,),
                prefix=prefix,
                data=question(spec.dependencies, spec.pip),
                timeout=1200,
            ),
            judge=judge,
            on_pass=catalogue.write_record(facts.state_dir, folder, _record_name(request), text) if record else None,
            on_fail=catalogue.reject_generation(prefix, "it does not import")
            if reject
            else withdrawn(facts, _record_name(request)),
        ),
        changed=False,
    )


def proven(request: Request, facts: Facts, generation: Generation) -> bool:
    """Whether a deep check passed under all that holds now."""
    record = facts.record(_record_name(request))
    if record is None or record.get("depends") != depends(facts, generation):
        return False
    return same_machine(record.get("machine"), facts)


def machine(facts: Facts) -> dict[str, Any]:
    """Return what a passed check was passed on, for people to be told what changed since, and by the host's clock."""
    return {
        "clock": facts.system.clock,
        "driver": facts.gpu.driver_loaded or facts.gpu.driver,
        "kernel": facts.system.kernel,
        "glibc": facts.system.glibc,
        "os": facts.system.os,
    }


def same_machine(then: object, facts: Facts) -> bool:
    """Whether the machine is what a record says; one of an earlier version does not say it, and speaks of no other."""
    if not isinstance(then, dict):
        return True
    return all(then.get(part) == value for part, value in machine(facts).items() if part in then and part != "clock")


def proven_on(request: Request, facts: Facts) -> dict[str, Any] | None:
    """Return the machine that the last passed check was passed on, a withdrawn one too; ``None``: nobody knows."""
    record = facts.record(_record_name(request))
    then = record.get("machine") if record is not None else None
    return then if isinstance(then, dict) else None


def withdrawn(facts: Facts, name: str) -> Program | None:
    """Return what overwrites the record of an earlier success by one that proves nothing; None: there is no record."""
    record = facts.record(name)
    if record is None:
        return None
    # What it was proven on stays: it is what drift is told from.
    kept = {"machine": record["machine"]} if "machine" in record else {}
    text = json.dumps({"format": 1, "depends": None, **kept}, separators=(",", ":"))
    return catalogue.write_record(facts.state_dir, facts.system.machine_id or "none", name, text)


def _record_name(request: Request) -> str:
    return f"deep-{request.project}-{request.name}"


def depends(facts: Facts, generation: Generation) -> dict[str, Any]:
    """Return everything that a passed check holds for: when any of it changes, the check is repeated."""
    return {
        "boot": facts.system.boot_id,
        "driver": facts.gpu.driver_loaded or facts.gpu.driver,
        "gpus": [one.uuid for one in facts.gpu.gpus],
        "mig_devices": list(facts.gpu.mig_devices),
        "generation": generation.name,
        "packages": generation.packages,
        "script": catalogue.script_digest("deep_check.py"),
    }
