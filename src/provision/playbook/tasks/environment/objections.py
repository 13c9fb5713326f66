"""Why an environment must not be built, or cannot: what is not ours, what nobody accepted, where there is no room."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.environment.estimate import disk_needed
from provision.model.plan import Severity
from provision.playbook.room import error, room
from provision.playbook.tasks.environment.generations import leftovers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import EnvironmentFacts, Facts
    from provision.model.plan import Finding
    from provision.playbook.tasks.environment.request import Request, Wanted

TERMS = ("defaults", "main", "r", "pkgs/main", "pkgs/r")
"""Channels of Anaconda that serve Terms of Service (terms.json at repo.anaconda.com/pkgs/main and pkgs/r)."""
GROWS = ("DISK-SMALL", "INODES-FEW")
"""Findings on a disk that the removal of files may cure."""
RENAME = "move it away, or give the environment another `name:` in environment.yml"


def no_variant(request: Request, facts: Facts) -> Finding:
    """Return the finding on a host that none of the files is for."""
    kind = request.kind(facts)
    return error(
        "ENV-NO-VARIANT",
        f"there is no environment file for a {kind} host of architecture {facts.system.architecture}",
        f"add `environment: {{{kind}: FILE}}` to provision.yaml",
    )


def foreign(request: Request, facts: Facts, wanted: Wanted) -> Iterable[Finding]:
    """Yield what stands under the environment's name and is not ours."""
    for link in facts.conda_links:
        # A link into another state folder is ours too: `state_dir:` was changed since.
        ours = (link.target or "").endswith(f"/envs/{request.project}/{request.name}/current")
        if link.name == request.link_name and not ours:
            what = f"points to {link.target}" if link.target else "is an environment of its own"
            yield error("ENV-NAME-FOREIGN", f"{wanted.link} exists and {what}: it is not ours to replace", RENAME)
    shadow = shadowing(request)
    if dict(facts.paths).get(shadow, "absent") != "absent":
        yield error(
            "ENV-NAME-SHADOWED",
            f"{shadow} exists: `conda activate {request.link_name}` would find it instead of ours",
            RENAME,
        )


def shadowing(request: Request) -> str:
    """Return the path of an environment of base's own that would be found before ours."""
    return f"{request.prefix}/envs/{request.link_name}"


def unlocked(request: Request, wanted: Wanted) -> Iterable[Finding]:
    """Yield that no lock describes what would be built; an error where nothing else may be built."""
    if wanted.lock is not None or not (request.frozen or wanted.variant.locks):
        return
    machine = f"a host like this one ({'no GPU' if not wanted.gpu else f'CUDA {wanted.cuda}'})"
    found = error(
        "ENV-LOCK-NONE",
        f"no lock of {wanted.spec.source} is for {machine}"
        + ("" if request.frozen else ": conda solves there, and may choose other packages than elsewhere"),
        f"provision env lock {request.host.name}",
    )
    yield found if request.frozen else replace(found, severity=Severity.WARNING)


def terms(request: Request, wanted: Wanted) -> Iterable[Finding]:
    """Yield that channels have terms which nobody accepted."""
    if request.accept_tos:
        return
    concerned = [one for one in _asked(request, wanted) if one in TERMS or "//repo.anaconda.com/pkgs/" in one]
    if concerned:
        yield error(
            "CONDA-TERMS",
            f"the channels {', '.join(concerned)} have Terms of Service, which nobody accepted",
            "two ways out: `accept_tos: true` under miniconda in the playbook, which is your word that you accept "
            "them, or `channels: [conda-forge]` (or a mirror without them) in environment.yml",
        )


def cuda(request: Request, facts: Facts, wanted: Wanted) -> Iterable[Finding]:
    """Yield why what is asked for cannot compute on this driver and these cards; warnings where it is built anyway."""
    if not wanted.gpu:
        return
    # Imported late: a host without a GPU needs none of it.
    from provision.environment.cuda_fit import BUILD_ANYWAY, cuda_findings
    from provision.environment.cuda_wanted import cuda_wanted

    for found in cuda_findings(cuda_wanted(wanted.spec, facts.system.architecture), facts.gpu):
        if request.build_anyway and found.code in BUILD_ANYWAY:
            yield replace(found, severity=Severity.WARNING, message=f"{found.message} (built all the same)")
        else:
            yield found


def no_room(request: Request, facts: Facts, wanted: Wanted, have: EnvironmentFacts | None) -> Iterable[Finding]:
    """Yield what is wrong with the disk that the generation is built on.

    What the build removes before it begins counts as room of unknown size: too little room is a warning then. A build
    that fails gives its room back, so that what is found the next time is exact.
    """
    need = disk_needed(wanted.spec.dependencies, wanted.spec.pip, gpu=wanted.gpu)
    freed = ", ".join(leftovers(have))
    for found in room(facts, facts.state_dir, need, f"environment {request.name}"):
        if freed and found.code in GROWS:
            message = f"{found.message}; the build first removes what is unusable, and that frees some: {freed}"
            yield replace(found, severity=Severity.WARNING, message=message)
        else:
            yield found


def _asked(request: Request, wanted: Wanted) -> tuple[str, ...]:
    """Return every channel that may be asked, those that follow where others fail too."""
    return tuple(dict.fromkeys(one for channels in request.channels(wanted.spec) for one in channels))
