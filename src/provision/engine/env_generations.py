"""Asks a host for its generations, removes some of them, goes back to an earlier one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from provision.environment.collected import collected_of
from provision.environment.generations_kept import environments_of
from provision.errors import BusyError, StepFailedError
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.perform import Performer
    from provision.environment.collected import Collected
    from provision.environment.generations_kept import Environment
    from provision.model.facts import Facts

LOOKING = 600.0
"""Seconds that counting many files on a slow disk may take."""
_FAR = re.compile(rb"^far\|(counting|removing)\|(\d{1,9})\|(\d{1,9})$", re.MULTILINE)
"""How collect_environments.py says how far it is."""
UNUSED_DAYS = 30
"""Days without use after which what pip kept, and an installer, go."""


def tell(performer: Performer, facts: Facts) -> tuple[float, tuple[Environment, ...]]:
    """Return the host's clock and all its environments.

    Raises:
        StepFailedError: the host does not tell.
    """
    said = _said(performer, facts, "tell_environments.py", (facts.state_dir,), LOOKING)
    try:
        found = environments_of(said)
    except ValueError as error:
        raise StepFailedError(str(error), hint="does another version of provision build there?") from None
    now = said.get("now")
    return (float(now) if isinstance(now, int | float) else 0.0), found


def collect(
    performer: Performer,
    facts: Facts,
    remove: list[list[str]],
    *,
    do: bool,
    far: Callable[[str], None] = lambda _: None,
) -> Collected:
    """Remove generations and what the caches hold for nobody; or tell alone what would go. `far`: told how far it is.

    Raises:
        BusyError: a step of a run is at work there.
        StepFailedError: the host does not say what became of it.
    """
    request = json.dumps({"remove": remove, "do": do, "days": UNUSED_DAYS})
    said = _said(performer, facts, "collect_environments.py", (facts.state_dir, request), catalogue.DAY, far=far)
    if said.get("busy"):
        raise BusyError("a step of a run is at work there", hint="wait for it: `provision up` follows it")
    try:
        return collected_of(said)
    except ValueError as error:
        raise StepFailedError(str(error), hint="does another version of provision work there?") from None


def switch(performer: Performer, base: str, generation: str, link: str) -> None:
    """Make a generation the current one, by one rename.

    Raises:
        StepFailedError: it is not complete, or the name is taken.
    """
    done = performer.command(catalogue.switch_environment(base, generation, link))
    if done.code != 0:
        text = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise StepFailedError(f"{generation} could not be made current: {text[-300:] or f'exit code {done.code}'}")


def note(performer: Performer, facts: Facts, name: str, content: dict[str, Any]) -> None:
    """Write a record of this machine.

    Raises:
        StepFailedError: it could not be written.
    """
    text = json.dumps({"format": 1, **content}, separators=(",", ":"))
    done = performer.command(catalogue.write_record(facts.state_dir, facts.system.machine_id or "none", name, text))
    if done.code != 0:
        raise StepFailedError("a record could not be written on the host", hint="is there room on its disk?")


def _said(
    performer: Performer,
    facts: Facts,
    script: str,
    words: tuple[str, ...],
    seconds: float,
    *,
    far: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    condas = [one.prefix for one in facts.condas if one.runs]
    # Without a conda that the probe was told of, the environments' own: one that is in use is complete.
    own = [f"{facts.state_dir}/envs/{one.project}/{one.name}/current" for one in facts.environments if one.current]
    prefix = next(iter((*condas, *own)), None)
    if prefix is None:
        raise StepFailedError("no conda of the host runs", hint="`provision up` installs or repairs it")

    def take(name: str, piece: bytes) -> None:
        found = _FAR.findall(piece) if name == "stderr" else []
        if found:
            far("{} {} of {}".format(*(one.decode() for one in found[-1])))

    program = catalogue.python(f"{prefix}/bin/python", script, words, timeout=seconds)
    done = performer.command(program, on_output=take)
    try:
        said = json.loads(done.stdout)
    except (ValueError, RecursionError):
        said = None
    if done.code != 0 or not isinstance(said, dict):
        tail = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-1:]
        raise StepFailedError(f"its environments could not be read: {''.join(tail)[:300] or f'exit code {done.code}'}")
    return said
