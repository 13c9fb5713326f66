"""What a host has of an environment: which generation can serve, what it was built from, what is left of a kill."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provision.environment.spec import EnvironmentSpec
    from provision.model.facts import EnvironmentFacts, Facts, Generation
    from provision.playbook.tasks.environment.request import Wanted


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
