"""Reads an environment of a host for its export: what is installed, its variables, and what it was built from."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli.job_environment import age, environment_of
from provision.engine.perform import Performer
from provision.environment.export import Built
from provision.environment.export_channels import ChannelNames
from provision.environment.export_file import Locked
from provision.environment.listing import parse_listing
from provision.errors import BadFileError, StepFailedError, UnfitError
from provision.facts import parse
from provision.playbook.paths import expand
from provision.remote import catalogue
from provision.report.display import one_line
from provision.solving.lock_files import find_locks

if TYPE_CHECKING:
    from provision.cli.workspace import Workspace
    from provision.engine.stop import Stop
    from provision.environment.listing import Listing
    from provision.events import Emit
    from provision.model.facts import Facts, Generation
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.playbook.tasks.environment import EnvironmentTask

LONGEST = 300.0
"""Seconds that reading a large environment from a slow disk may take."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which environment of a host."""

    task: EnvironmentTask | None
    """As the project has it; ``None``: it has none."""
    project: str
    name: str | None
    prefix: str | None = None
    """Any conda environment there, ours or not."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read."""

    facts: Facts
    built: Built
    prefix: str
    environment: str | None
    """As provision calls it; ``None``: it is no environment of ours."""
    generation: Generation | None


def wanted(workspace: Workspace, host: Host, name: str | None, prefix: str | None) -> Wanted:
    """Return what is asked for.

    Raises:
        UsageError: the project has no such environment.
    """
    task = None if prefix else environment_of(workspace, host, name)
    return Wanted(task, workspace.project.name, task.name if task else name, prefix)


def performer_for(link: Link, host: Host, emit: Emit, stop: Stop) -> Performer:
    """Return what asks the host, again where the link is lost."""
    return Performer(link, emit, stop, state_dir=host.state_dir, regain=lambda: None, env=host.env)


def probe(performer: Performer, host: Host, asked: tuple[str, ...] = ()) -> Facts:
    """Return the facts of a host.

    Raises:
        UnfitError: others could exchange what stands in its state folder.
    """
    words = (f"state_dir={host.state_dir}", f"workdir={host.workdir}", *asked)
    facts = parse(performer.command(catalogue.probe(words)).stdout)
    if facts.state_danger:
        raise UnfitError(facts.state_danger, hint="name a `state_dir:` that nobody else can write, or mend its owner")
    return facts


def read(performer: Performer, host: Host, asked: Wanted) -> Seen:
    """Read an environment.

    Raises:
        StepFailedError: it is not there, or cannot be read.
        UnfitError: others could exchange what stands in the state folder.
    """
    facts = probe(performer, host, tuple(asked.task.asks()) if asked.task else ("conda=~/miniconda3",))
    prefix, environment, generation = _place(facts, asked)
    python = _python(facts, asked, prefix)
    listing = _listing(performer, python, prefix)
    marker = (generation.marker or {}) if generation else None
    name = asked.task.link_name if asked.task else environment or prefix.rstrip("/").rpartition("/")[2]
    spec = marker.get("spec") if marker is not None else None
    built = Built(
        re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:100] or "environment",
        listing,
        (spec if isinstance(spec, dict) else {}) if marker is not None else None,
        _variables(performer, python, prefix),
        ChannelNames(_mirrors(host)),
        _locked(asked, marker or {}),
    )
    return Seen(facts, built, prefix, environment, generation)


def local_file(asked: Wanted, seen: Seen) -> Path | None:
    """Return the project's own file, where it is still the one that the generation was built from."""
    marker = seen.generation.marker if seen.generation else None
    if asked.task is None or marker is None or age(asked.task, marker) is not None:
        return None
    variant = next((one for one in asked.task.variants if one.kind == marker.get("variant")), None)
    path = Path(variant.spec.source) if variant is not None else None
    return path if path is not None and path.is_file() else None


def _locked(asked: Wanted, marker: dict[str, Any]) -> Locked:
    content = marker.get("lock")
    if not isinstance(content, str):
        return Locked()
    for variant in asked.task.variants if asked.task else ():
        with suppress(BadFileError):
            for lock in find_locks(Path(variant.spec.source)):
                if lock.content == content:
                    return Locked(
                        {one.name: one.version for one in lock.conda}, {one.name: one.version for one in lock.pip}
                    )
    return Locked(unknown=True)


def _place(facts: Facts, asked: Wanted) -> tuple[str, str | None, Generation | None]:
    if asked.prefix is not None:
        return expand(asked.prefix, facts.system.home), None, None
    mine = [one for one in facts.environments if one.project == asked.project]
    found = [one for one in mine if asked.name in {None, one.name}]
    names = ", ".join(one.name for one in mine)
    if len(found) != 1:
        wanted = f"environment '{asked.name}'" if asked.name else "environment"
        raise StepFailedError(
            f"it has {'no' if not found else 'more than one'} {wanted} of the project '{asked.project}'"
            + (f" (it has: {one_line(names)})" if names else ""),
            hint="--environment NAME says which"
            if found
            else "`provision up` builds it; --prefix PATH takes any other",
        )
    current = found[0].find(found[0].current)
    if current is None or current.marker is None:
        raise StepFailedError(
            f"its environment '{one_line(found[0].name)}' has no complete build in use", hint="`provision up` builds it"
        )
    prefix = f"{facts.state_dir}/envs/{asked.project}/{found[0].name}/{current.name}"
    return prefix, found[0].name, current


def _python(facts: Facts, asked: Wanted, prefix: str) -> str:
    """Return an interpreter that is not the environment's own: it may be what is broken."""
    if asked.task is not None and (conda := facts.conda(asked.task.conda(facts))) is not None and conda.runs:
        return f"{conda.prefix}/bin/python"
    base = next((one.prefix for one in facts.condas if one.runs), None)
    return f"{base or prefix}/bin/python"


def _listing(performer: Performer, python: str, prefix: str) -> Listing:
    done = performer.command(catalogue.python(python, "list_packages.py", (prefix,), timeout=LONGEST))
    try:
        listing = parse_listing(done.stdout)
    except ValueError as error:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-1:]
        raise StepFailedError(
            f"what is installed in {prefix} cannot be read: {one_line(said[0]) if said and done.code else error}"
        ) from None
    if not listing.conda:
        raise StepFailedError(f"{prefix} is no conda environment", hint="--prefix takes the folder that has conda-meta")
    return listing


def _variables(performer: Performer, python: str, prefix: str) -> dict[str, str]:
    done = performer.command(catalogue.python(python, "tell_variables.py", (prefix,), timeout=60))
    try:
        said: Any = json.loads(done.stdout)
        found = said["variables"]
        problem = said["problem"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found, problem = {}, "no answer"
    if problem or not isinstance(found, dict):
        raise StepFailedError(f"the variables of {prefix} cannot be read: {one_line(str(problem))}")
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _mirrors(host: Host) -> tuple[tuple[str, str], ...]:
    """Return (channel, URL) of all mirrors that are known: the host's own first."""
    from provision.inventory.mirrors import SHIPPED

    own = (host.mirror, *host.mirror.candidates) if host.mirror is not None else ()
    return tuple(pair for one in (*own, *SHIPPED.values()) for pair in one.channels)
