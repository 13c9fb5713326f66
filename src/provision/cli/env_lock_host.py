"""`env lock --from HOST`: a lock of what a host has, where nothing here solves, or because that is what is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli.asked_hosts import AskedHosts
from provision.cli.env_export_host import LONGEST, performer_for, probe
from provision.cli.job_environment import age, environment_of
from provision.cli.lock_machines import PLATFORMS
from provision.cli.workspace import Workspace
from provision.engine.drift import read_listing
from provision.environment.lock_taken import Machine, UnknownError, parse_archives, taken
from provision.errors import StepFailedError, UsageError
from provision.remote import catalogue
from provision.report.display import one_line
from provision.solving.lock import asked as digest_asked
from provision.solving.lock_files import lock_path
from provision.solving.machine import GLIBC

if TYPE_CHECKING:
    import argparse

    from provision.engine.perform import Performer
    from provision.environment.listing import Listing
    from provision.environment.lock import Lock
    from provision.environment.lock_taken import Archives
    from provision.environment.spec import EnvironmentSpec
    from provision.events import Emit
    from provision.model.facts import Facts
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.playbook.tasks.environment import EnvironmentTask
    from provision.playbook.tasks.environment.generations import Place
    from provision.playbook.tasks.environment.request import Variant

SHOWN = 30
"""Problems that are shown."""
INSTEAD = "solve here instead: pip install 'provision-gpu[lock]', then `provision env lock`"


@dataclass(frozen=True, slots=True)
class Taken:
    """A lock of what a host has."""

    file: Path
    """The environment file."""
    spec: EnvironmentSpec
    lock: Lock
    generation: str


def take_lock(name: str, argv: list[str], asked: argparse.Namespace) -> tuple[Taken | None, int]:
    """Return the lock, and the exit code of the question: without a lock the host could not be asked.

    Raises:
        StepFailedError: the host has no build of the file as it is, or does not know all of its checksums.
        UsageError: the project has no such environment.
    """
    workspace = Workspace.open(asked.inventory)
    host = workspace.host(asked.source)
    task = environment_of(workspace, host, asked.environment)
    if task is None:
        raise UsageError(
            f"the playbook of {host.name} builds no environment for this project",
            hint="`provision init` writes an environment.yml",
        )
    asking: AskedHosts[Taken] = AskedHosts(name, argv, asked, workspace)

    def work(link: Link, one: Host, emit: Emit) -> Taken:
        return _read(performer_for(link, one, emit, asking.stop), one, task)

    found = asking.ask((host,), work)
    asking.complain()
    for failed in asking.failed.values():
        # One line each: what has to be put right is what somebody came for.
        for line in (failed.failure.detail or "" if failed.failure else "").splitlines()[1:SHOWN]:
            asking.says(f"  {one_line(line)}")
    return found.get(host.name), asking.exit_code()


def _read(performer: Performer, host: Host, task: EnvironmentTask) -> Taken:
    facts = probe(performer, host, tuple(task.asks()))
    place, variant = _built(facts, task)
    listing = read_listing(performer, place)
    arguments = (place.prefix, f"{facts.state_dir}/pip-cache")
    done = performer.command(catalogue.python(place.python, "tell_archives.py", arguments, timeout=LONGEST))
    try:
        archives = parse_archives(done.stdout)
    except ValueError as error:
        raise StepFailedError(str(error), hint=INSTEAD) from None
    return _taken(facts, host, (place, variant), (listing, archives))


def _built(facts: Facts, task: EnvironmentTask) -> tuple[Place, Variant]:
    """Return the build in use, which must be of the file as it is, and as it was built."""
    place = task.place(facts)
    marker = (place.generation.marker or {}) if place is not None else {}
    kind = marker.get("variant")
    variant = next((one for one in task.variants if one.kind == kind), None)
    if place is None or variant is None:
        raise StepFailedError(
            f"its environment '{task.name}' has no complete build in use", hint="`provision up` builds it"
        )
    if age(task, marker) is not None:
        raise StepFailedError(
            f"{place.generation.name} was built from another text of {variant.spec.source}",
            hint="`provision up` builds what it asks for now; then lock",
        )
    if marker.get("packages") != place.generation.packages:
        raise StepFailedError(
            f"{place.generation.name} is no longer what was built: packages were installed or removed there by hand",
            hint="`provision env diff` names them; `provision up` builds it anew",
        )
    return place, variant


def _taken(facts: Facts, host: Host, built: tuple[Place, Variant], had: tuple[Listing, Archives]) -> Taken:
    from provision.inventory.mirrors import SHIPPED

    place, variant = built
    spec, marker = variant.spec, place.generation.marker or {}
    file = Path(spec.source)
    platform = PLATFORMS.get(facts.system.architecture)
    if platform is None:
        raise StepFailedError(f"conda has no platform for {facts.system.architecture}")
    cuda = marker.get("cuda")
    machine = Machine(platform, cuda if isinstance(cuda, str) else "none", facts.system.glibc or GLIBC)
    path = lock_path(file, machine.platform, machine.cuda)
    try:
        lock = taken(
            *had,
            channels=spec.channels,
            mirrors=(*((host.mirror, *host.mirror.candidates) if host.mirror else ()), *SHIPPED.values()),
            pip=spec.pip,
            machine=machine,
            asked=digest_asked(spec, variant.kind, machine.platform, machine.cuda),
            source=str(path),
        )
    except UnknownError as error:
        raise StepFailedError(
            f"{place.generation.name} cannot be locked as it is: {error}",
            hint=INSTEAD,
            detail="\n".join(error.problems),
        ) from None
    return Taken(file, spec, lock, place.generation.name)
