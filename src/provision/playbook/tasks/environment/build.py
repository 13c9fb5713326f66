"""The steps that build a generation: why, what changes, and the command with all that its script reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from provision.environment.channels import folder_of, served_from
from provision.environment.failures import explain
from provision.model.plan import Archive, Detached, Later, Program, Step, Supply
from provision.playbook.tasks.environment.compute import computes
from provision.playbook.tasks.environment.generations import in_use, next_name
from provision.playbook.tasks.environment.request import NO_CUDA
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.environment.lock import Lock
    from provision.model.facts import EnvironmentFacts, Facts
    from provision.model.host import Mirror
    from provision.playbook.tasks.environment.request import Request, Wanted


def build(request: Request, facts: Facts, wanted: Wanted, have: EnvironmentFacts | None) -> Iterable[Step]:
    """Yield the build of the next generation, and what follows it: that is planned anew once it is there."""
    generation = next_name(have, wanted.digest)
    reason, details = _why(wanted, have)
    yield Step(
        f"build {request.name} {generation}",
        reason if wanted.lock is None else f"{reason}; from {wanted.lock.source}, without solving",
        _action(request, facts, wanted, generation),
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


def _action(request: Request, facts: Facts, wanted: Wanted, generation: str) -> Detached:
    program = _command(request, facts, wanted, generation)
    if wanted.lock is None:
        return Detached(program, explain=explain)
    what = Supply(
        archives=archives(wanted.lock, request.host.mirror),
        folder=f"{facts.state_dir}/cache",
        interpreter=f"{request.conda(facts)}/bin/python",
        program=_command(request, facts, wanted, generation, offline=True),
        at_once=request.host.offline,
    )
    return Detached(program, explain=explain, supply=what)


def archives(lock: Lock, mirror: Mirror | None) -> tuple[Archive, ...]:
    """Return every file of a lock, by where a host's cache has it; pip's only where their address is known."""
    conda = (
        Archive(
            f"channels/{folder_of(one.channel)}/{one.subdir}/{one.file_name}",
            one.sha256,
            tuple(f"{root}/{one.subdir}/{one.file_name}" for root in served_from(one.channel, mirror)),
        )
        for one in lock.conda
    )
    pip = (
        Archive(f"wheels/{file_name(one.url)}", one.hashes[0], (one.url,)) for one in lock.pip if one.url is not None
    )
    return (*conda, *pip)


def file_name(url: str) -> str:
    """Return the name of the file behind an address."""
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1])


def _command(request: Request, facts: Facts, wanted: Wanted, generation: str, *, offline: bool = False) -> Program:
    spec, lock = wanted.spec, wanted.lock
    mirror = request.host.mirror
    return catalogue.build_environment(
        state_dir=facts.state_dir,
        conda=f"{request.conda(facts)}/bin/conda",
        base=wanted.base,
        generation=generation,
        channels=request.channels(spec) if lock is None else (folders(lock, facts.state_dir),),
        specs=spec.dependencies,
        requirements=spec.pip_text if lock is None else _requirements(lock, offline=offline),
        constraints=spec.constraints_text if lock is None else "",
        variables=json.dumps({"env_vars": dict(spec.variables)}) if spec.variables else "",
        marker=_marker(wanted),
        cuda=wanted.cuda,
        accept_tos=request.accept_tos,
        pip_indexes=request.pip_indexes,
        locked=None if lock is None else packages(lock, mirror, offline=offline),
        offline=offline,
    )


def _requirements(lock: Lock, *, offline: bool) -> str:
    """Return pip's requirements; where nobody is to be asked, without the lines that name whom to ask."""
    return "".join(f"{one.line}\n" for one in lock.pip) if offline else lock.requirements


def folders(lock: Lock, state_dir: str) -> tuple[str, ...]:
    """Return the host's own folders of the lock's channels: conda may look nowhere else."""
    own = dict.fromkeys(one.channel for one in lock.conda)
    return tuple(f"file://{quote(f'{state_dir}/cache/channels/{folder_of(one)}')}" for one in own)


def packages(lock: Lock, mirror: Mirror | None, *, offline: bool = False) -> bytes:
    """Return the list that fetch_packages.py reads: where each archive goes, its checksum, and who serves it."""
    served = {channel: served_from(channel, mirror) for channel in {one.channel for one in lock.conda}}
    listed = [
        {
            "path": f"{folder_of(one.channel)}/{one.subdir}/{one.file_name}",
            "sha256": one.sha256,
            "urls": [] if offline else [f"{root}/{one.subdir}/{one.file_name}" for root in served[one.channel]],
        }
        for one in lock.conda
    ]
    return json.dumps({"packages": listed}, separators=(",", ":")).encode()


def _marker(wanted: Wanted) -> str:
    """Return the marker's JSON without its closing brace: the script adds what only it knows."""
    spec = wanted.spec
    marker = {
        "format": 1,
        "digest": wanted.digest,
        "variant": wanted.variant.kind,
        "cuda": wanted.cuda,
        **({} if wanted.lock is None else {"asked": wanted.asked, "lock": wanted.lock.content}),
        "spec": {
            "channels": list(spec.channels),
            "dependencies": list(spec.dependencies),
            "pip": list(spec.pip),
            **({"constraints": list(spec.constraints)} if spec.constraints else {}),
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
    if not lines and (reason := _why_locked(wanted, current.marker)) is not None:
        return (reason, ())
    if not lines and current.marker.get("cuda") != wanted.cuda:
        was, now = (_built_for(one) for one in (current.marker.get("cuda"), wanted.cuda))
        return (f"it was built for {was}, and this host is now one for {now}", ())
    was = str(current.marker.get("digest"))[:8]
    return (f"{spec.source} changed: {was} -> {wanted.digest[:8]}", tuple(lines))


def _why_locked(wanted: Wanted, marker: dict[str, Any]) -> str | None:
    """Return the reason where a lock makes the difference, and the file asks for what it asked for."""
    had, asked = marker.get("lock"), marker.get("asked", marker.get("digest"))
    if asked != wanted.asked or (wanted.lock is None and had is None):
        return None
    if wanted.lock is None:
        there = ", ".join(one.source for one in wanted.variant.locks)
        return f"it was built from a lock, and none here is for it{f' ({there} is for others)' if there else ''}"
    if had is None:
        return f"it was solved on the host, and {wanted.lock.source} says now what belongs in it"
    return f"{wanted.lock.source} changed: {str(had)[:8]} -> {wanted.lock.content[:8]}"


def _built_for(cuda: object) -> str:
    return "the CPU" if cuda in {None, "", NO_CUDA} else f"CUDA {cuda}"
