"""The steps that build a generation: why, what changes, and the command with all that its script reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from provision.environment.failures import explain
from provision.model.plan import Detached, Later, Program, Step
from provision.playbook.tasks.environment.compute import computes
from provision.playbook.tasks.environment.generations import in_use, next_name
from provision.playbook.tasks.environment.request import NO_CUDA
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import EnvironmentFacts, Facts
    from provision.playbook.tasks.environment.request import Request, Wanted


def build(request: Request, facts: Facts, wanted: Wanted, have: EnvironmentFacts | None) -> Iterable[Step]:
    """Yield the build of the next generation, and what follows it: that is planned anew once it is there."""
    generation = next_name(have, wanted.digest)
    reason, details = _why(wanted, have)
    yield Step(
        f"build {request.name} {generation}",
        reason,
        Detached(_command(request, facts, wanted, generation), explain=explain),
        details=details,
    )
    yield Step(
        f"prove {request.name} {generation}",
        "what is installed is read back and imported before it is used",
        Later(),
        changed=False,
    )
    yield Step(f"make {generation} the current {request.name}", "once it is proven", Later())
    if computes(wanted, facts):
        reason = "a result on each, compared with the processor's, proves driver, CUDA and build together"
        yield Step(f"compute with {request.name} {generation} on every GPU", reason, Later(), changed=False)


def _command(request: Request, facts: Facts, wanted: Wanted, generation: str) -> Program:
    spec = wanted.spec
    mirror = request.host.mirror
    return catalogue.build_environment(
        state_dir=facts.state_dir,
        conda=f"{request.conda(facts)}/bin/conda",
        base=wanted.base,
        generation=generation,
        channels=request.channels(spec),
        specs=spec.dependencies,
        requirements=spec.pip_text,
        constraints=spec.constraints_text,
        variables=json.dumps({"env_vars": dict(spec.variables)}) if spec.variables else "",
        marker=_marker(wanted),
        cuda=wanted.cuda,
        accept_tos=request.accept_tos,
        pip_index=(mirror.pip or "") if mirror else "",
    )


def _marker(wanted: Wanted) -> str:
    """Return the marker's JSON without its closing brace: the script adds what only it knows."""
    spec = wanted.spec
    marker = {
        "format": 1,
        "digest": wanted.digest,
        "variant": wanted.variant.kind,
        "cuda": wanted.cuda,
        "spec": {
            "channels": list(spec.channels),
            "dependencies": list(spec.dependencies),
            "pip": list(spec.pip),
            "variables": sorted(key for key, _ in spec.variables),
        },
    }
    return json.dumps(marker, separators=(",", ":"))[:-1]


def _why(wanted: Wanted, have: EnvironmentFacts | None) -> tuple[str, tuple[str, ...]]:
    """Return the reason for a build, and the difference to the current generation."""
    current = in_use(have)
    spec = wanted.spec
    if current is None or current.marker is None:
        added = (*spec.dependencies, *(f"pip: {line}" for line in spec.pip))
        return ("there is no such environment yet", tuple(f"+ {one}" for one in added))
    if current.marker.get("digest") == wanted.digest:
        return ("its packages are no longer those of the build: something was installed or removed by hand", ())
    asked = current.marker.get("spec")
    before = asked if isinstance(asked, dict) else {}
    lines: list[str] = []
    for key, prefix, has in (
        ("channels", "channel ", spec.channels),
        ("dependencies", "", spec.dependencies),
        ("pip", "pip: ", spec.pip),
    ):
        listed = before.get(key)
        had = [str(one) for one in listed] if isinstance(listed, list) else []
        lines += [f"- {prefix}{one}" for one in had if one not in has]
        lines += [f"+ {prefix}{one}" for one in has if one not in had]
    if not lines and current.marker.get("cuda") != wanted.cuda:
        was, now = (_built_for(one) for one in (current.marker.get("cuda"), wanted.cuda))
        return (f"it was built for {was}, and this host is now one for {now}", ())
    was = str(current.marker.get("digest"))[:8]
    return (f"{spec.source} changed: {was} -> {wanted.digest[:8]}", tuple(lines))


def _built_for(cuda: object) -> str:
    return "the CPU" if cuda in {None, "", NO_CUDA} else f"CUDA {cuda}"
