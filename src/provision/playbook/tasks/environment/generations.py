"""What a host has of an environment: which generation can serve, what it was built from, what is left of a kill."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provision.environment.spec import EnvironmentSpec
    from provision.model.facts import EnvironmentFacts, Facts, Generation
    from provision.playbook.tasks.environment.request import Request, Wanted


DAMAGED = "files of its packages are missing"


@dataclass(frozen=True, slots=True)
class Place:
    """The build of an environment that is in use on a host, and who can list it."""

    project: str
    environment: str
    generation: Generation
    prefix: str
    """Its folder there."""
    python: str
    """An interpreter that is not its own: that may be what is broken."""


def in_use(have: EnvironmentFacts | None) -> Generation | None:
    """Return the current generation, where there is one."""
    return have.find(have.current) if have is not None else None


def complete(have: EnvironmentFacts | None, wanted: str) -> Generation | None:
    """Return the newest generation that is what is wanted, complete, not rejected and not changed since its build."""
    if have is None:
        return None
    usable = [
        one
        for one in have.generations
        if one.marker is not None
        and one.rejected is None
        and one.marker.get("digest") == wanted
        and one.marker.get("packages") == one.packages
    ]
    return max(usable, key=lambda one: (one.name == have.current, one.counter), default=None)


def drifted(have: EnvironmentFacts | None, wanted: str) -> Generation | None:
    """Return the current generation where it was built from what is wanted, and is no longer what was built."""
    current = in_use(have)
    if current is None or current.marker is None or current.marker.get("digest") != wanted:
        return None
    changed = current.marker.get("packages") != current.packages
    # What somebody rejected by hand is not for us to keep.
    return current if current.rejected in {None, DAMAGED} and (changed or current.rejected) else None


def with_damage(have: EnvironmentFacts | None, noted: dict[str, Any] | None) -> EnvironmentFacts | None:
    """Return what is there, its current generation rejected where `noted` says that files of it are missing.

    The probe does not look at single files. No file of a rejection is written: new jobs would be refused.
    """
    current = in_use(have)
    if have is None or noted is None or current is None or current.marker is None or current.rejected is not None:
        return have
    if (noted.get("generation"), noted.get("built")) != (current.name, current.marker.get("built")):
        return have
    marked = replace(current, rejected=DAMAGED)
    return replace(have, generations=tuple(marked if one is current else one for one in have.generations))


def damage_record(request: Request) -> str:
    """Return the name of the record which says that files of a generation are missing."""
    return f"damage-{request.project}-{request.name}"


def rollback_record(request: Request) -> str:
    """Return the name of the record which says that a rollback stands."""
    return f"rollback-{request.project}-{request.name}"


def rolled_back(have: EnvironmentFacts | None, noted: dict[str, Any] | None, wanted: str) -> Generation | None:
    """Return the current generation where somebody went back to it from what is wanted, and nothing else is by now."""
    current = in_use(have)
    if noted is None or current is None or current.marker is None or current.rejected not in {None, DAMAGED}:
        return None
    return current if (noted.get("to"), noted.get("digest_refused")) == (current.name, wanted) else None


def leftovers(have: EnvironmentFacts | None) -> tuple[str, ...]:
    """Return the generations that a build removes before it begins: nobody uses what a kill or a rejection left."""
    if have is None:
        return ()
    return tuple(
        one.name
        for one in have.generations
        if one.name != have.current and (one.marker is None or one.rejected is not None)
    )


def next_name(have: EnvironmentFacts | None, digest: str) -> str:
    """Return the name of the generation that is built next."""
    counter = max((one.counter for one in have.generations), default=0) + 1 if have is not None else 1
    return f"{counter}-{digest[:8]}"


def linked(facts: Facts, wanted: Wanted) -> bool:
    """Whether `conda activate` finds the current generation."""
    name = wanted.link.rsplit("/", 1)[-1]
    return any(one.name == name and one.target == f"{wanted.base}/current" for one in facts.conda_links)


def asked_then(marker: dict[str, Any], spec: EnvironmentSpec) -> EnvironmentSpec:
    """Return what a build was asked for, as its marker says; a host wrote it, so no type is taken for granted."""
    asked = marker.get("spec")
    asked = asked if isinstance(asked, dict) else {}
    dependencies, pip = (
        tuple(one for one in lines if isinstance(one, str)) if isinstance(lines, list) else ()
        for lines in (asked.get("dependencies"), asked.get("pip"))
    )
    return replace(spec, dependencies=dependencies, pip=pip)
