"""Locks that no longer fit their environment file: made anew before anything is connected, or refused."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.report.display import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from provision.environment.lock import Lock
    from provision.environment.spec import EnvironmentSpec
    from provision.model.host import Host
    from provision.playbook.bind import Binder


@dataclass(frozen=True, slots=True)
class Stale:
    """A lock that was made from another text of its environment file."""

    file: Path
    variant: str | None
    spec: EnvironmentSpec
    lock: Lock


def stale_locks(binders: Iterable[Binder]) -> list[Stale]:
    """Return the locks that do not fit their file any more."""
    from provision.solving.lock_files import is_fresh

    return [
        Stale(file, variant, spec, lock)
        for binder in binders
        for (file, variant), (spec, locks) in binder.variants.items()
        for lock in locks
        if not is_fresh(lock, spec, variant)
    ]


def refuse_unlocked(binders: Sequence[Binder]) -> None:
    """Refuse what `--frozen` refuses before any host is asked: a stale lock, or none at all.

    Raises:
        UsageError: says which.
    """
    for one in stale_locks(binders):
        raise UsageError(
            f"{one.lock.source} is stale: {one.spec.source} changed since it was locked",
            hint="provision env lock    makes it anew; without --frozen `up` does so itself",
        )
    for binder in binders:
        for spec, locks in binder.variants.values():
            if not locks:
                raise UsageError(
                    f"{spec.source} has no lock, and --frozen builds from locks alone", hint="provision env lock"
                )


def lock_again(name: str, binders: Sequence[Binder], hosts: Sequence[Host]) -> bool:
    """Make stale locks anew where `up` will build from them; else say what they mean. Return whether one was made.

    Raises:
        StepFailedError: nothing is what the file asks for.
    """
    stale = stale_locks(binders)
    if not stale:
        return False
    # Only now: it looks for what solves, and most runs have no stale lock.
    from provision.cli.locking import Wanted, can_solve, lines, make_lock
    from provision.solving.lock import machine_of

    if name != "up" or not can_solve():
        what = "`provision up` locks again" if can_solve() else "hosts solve for themselves, as nothing here can"
        hint = "" if can_solve() else " (pip install 'provision-gpu[lock]')"
        for one in stale:
            _tell(f"note: {one.lock.source} is stale, as {one.spec.source} changed: {what}{hint}")
        return False
    mirrors = {host.mirror for host in hosts}
    for one in stale:
        _tell(f"{one.lock.source} is stale, as {one.spec.source} changed: locking again")
        try:
            machine = machine_of(one.lock)
        except ValueError as error:
            raise UsageError(f"{one.lock.source}: {error}", hint="remove it and lock again") from None
        mirror = mirrors.copy().pop() if len(mirrors) == 1 else None
        made = make_lock(Wanted(one.file, one.variant, one.spec, machine, mirror), _tell, upgrade=False)
        for line in lines(made, verbose=False):
            _tell(line)
    return True


def _tell(text: str) -> None:
    with suppress(OSError):
        print(visible(text), file=sys.stderr, flush=True)
