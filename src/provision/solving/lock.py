"""One lock: both parts of an environment, solved for one kind of host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.environment.digest import digest
from provision.environment.lock import Lock
from provision.solving import conda_part, pip_part
from provision.solving.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.environment.spec import EnvironmentSpec
    from provision.model.host import Mirror


def solve(
    spec: EnvironmentSpec,
    variant: str | None,
    machine: Machine,
    *,
    mirror: Mirror | None,
    kept: Lock | None,
    source: Path,
    tell: Callable[[str], None],
) -> Lock:
    """Return the lock of an environment for such a machine.

    Args:
        spec: What the environment file asks for.
        variant: ``gpu``, ``cpu``, or ``None`` for a file that is for both.
        machine: The kind of host.
        mirror: Nearer servers to read indexes from.
        kept: An earlier lock whose versions stay where they can.
        source: The file that the lock will be.
        tell: Called with what is being done.

    Raises:
        UsageError: what solves is not installed, or cannot read the file.
        StepFailedError: nothing is what the file asks for, or an index cannot be read.
    """
    tell(f"solving the conda part of {spec.source} for {machine.shown}")
    conda = conda_part.solve(spec.dependencies, spec.channels, machine, mirror, kept.conda if kept else ())
    if any(not line.startswith("--") for line in spec.pip):
        tell(f"solving the pip part for Python {conda.python}")
    index = mirror.pip if mirror is not None else None
    pip, options = pip_part.solve(spec, conda, machine, index, kept.pip if kept else ())
    return Lock(
        str(source),
        asked(spec, variant, machine.platform, machine.cuda),
        machine.platform,
        machine.cuda,
        machine.glibc,
        machine.processor,
        conda.packages,
        pip,
        options,
        conda.size,
    )


def asked(spec: EnvironmentSpec, variant: str | None, platform: str, cuda: str) -> str:
    """Return the digest by which a lock knows the file that it was made from."""
    return digest(spec, platform, variant, cuda=cuda != "none")


def machine_of(lock: Lock) -> Machine:
    """Return the machine that a lock was made for.

    Raises:
        ValueError: the lock names none that exists.
    """
    archspec = "" if re.fullmatch(r"x86_64|aarch64", lock.archspec) else lock.archspec
    return Machine(lock.platform, lock.cuda, lock.glibc, archspec)
