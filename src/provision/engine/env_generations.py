"""Asks a host for its generations, removes some of them, goes back to an earlier one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.environment.generations_kept import environments_of
from provision.errors import BusyError, StepFailedError
from provision.model.plan import Program
from provision.remote import catalogue
from provision.remote.sources import source

if TYPE_CHECKING:
    from provision.engine.perform import Performer
    from provision.environment.generations_kept import Environment
    from provision.model.facts import Facts

PIECES = ("job_folder.py", "job_tell_state.py", "environments_seen.py")
LOOKING = 600.0
"""Seconds that counting many files on a slow disk may take."""
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


def collect(performer: Performer, facts: Facts, remove: list[list[str]], *, do: bool) -> dict[str, Any]:
    """Remove generations and what the caches hold for nobody; or tell alone what would go.

    Raises:
        BusyError: a step of a run is at work there.
        StepFailedError: the host does not say what became of it.
    """
    request = json.dumps({"remove": remove, "do": do, "days": UNUSED_DAYS})
    said = _said(performer, facts, "collect_environments.py", (facts.state_dir, request), catalogue.DAY)
    if said.get("busy"):
        raise BusyError("a step of a run is at work there", hint="wait for it: `provision up` follows it")
    return said


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


def _said(performer: Performer, facts: Facts, script: str, words: tuple[str, ...], seconds: float) -> dict[str, Any]:
    condas = [one.prefix for one in facts.condas if one.runs]
    # Without a conda that the probe was told of, the environments' own: one that is in use is complete.
    own = [f"{facts.state_dir}/envs/{one.project}/{one.name}/current" for one in facts.environments if one.current]
    prefix = next(iter((*condas, *own)), None)
    if prefix is None:
        raise StepFailedError("no conda of the host runs", hint="`provision up` installs or repairs it")
    text = "\n".join(source(one) for one in (*PIECES, script))
    done = performer.command(Program("python.sh", (f"{prefix}/bin/python", "", text, *words), timeout=seconds))
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = None
    if done.code != 0 or not isinstance(said, dict):
        tail = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-1:]
        raise StepFailedError(f"its environments could not be read: {''.join(tail)[:300] or f'exit code {done.code}'}")
    return said
