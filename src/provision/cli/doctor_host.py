"""What the doctor asks of a host: the packages of its current generation, and whether its Python is whole."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.engine.perform import Performer
from provision.environment.deepcheck import STDLIB, parse_report, question
from provision.environment.listing import parse_listing
from provision.errors import StepFailedError
from provision.remote import catalogue
from provision.venv.against_host import judge_host, judge_pythons
from provision.venv.remark import Remark, Section, advice, ok, problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.cli.doctor_local import Local
    from provision.engine.stop import Stop
    from provision.environment.listing import Listing
    from provision.events import Emit
    from provision.model.facts import Facts
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.playbook.tasks.environment import EnvironmentTask


@dataclass(frozen=True, slots=True)
class There:
    """The environment of a host."""

    generation: str | None
    """``None``: nothing was built there yet."""
    listing: Listing | None = None
    lacking: tuple[str, ...] | None = None
    """Modules of the standard library that its Python cannot import; ``None``: not known."""


def ask_environment(link: Link, host: Host, task: EnvironmentTask, emit: Emit, stop: Stop) -> There:
    """Read what the current generation holds; conda is not started.

    Raises:
        StepFailedError: what is there cannot be read.
        UnreachableError: the link was lost for good.
    """
    performer = Performer(link, emit, stop, state_dir=host.state_dir, regain=lambda: None, env=host.env)
    words = (f"state_dir={host.state_dir}", f"workdir={host.workdir}", *task.asks())
    # Imported here: the probe is on its way already when what reads it is loaded.
    done = performer.command(catalogue.probe(words))
    from provision.facts import parse

    facts = parse(done.stdout)
    have = facts.environment(task.project, task.name)
    if have is None or have.current is None:
        return There(None)
    prefix = f"{facts.state_dir}/envs/{task.project}/{task.name}/{have.current}"
    listed = performer.command(
        catalogue.python(_interpreter(task, facts, prefix), "list_packages.py", (prefix, "0"), timeout=300)
    )
    try:
        listing = parse_listing(listed.stdout)
    except ValueError as error:
        said = (listed.stderr or listed.stdout).decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise StepFailedError(
            f"what the environment {have.current} holds cannot be read: {error}", detail=said[:400]
        ) from None
    return There(have.current, listing, _lacking(performer, prefix) if listing.markers is not None else None)


def host_section(host: str, there: There, local: Local) -> Section:
    """Return what is thought of the environment of a host beside the venv."""
    return Section(host, tuple(_remarks(host, there, local)))


def _interpreter(task: EnvironmentTask, facts: Facts, prefix: str) -> str:
    base = facts.conda(task.conda(facts))
    return f"{base.prefix if base is not None and base.runs else prefix}/bin/python"


def _lacking(performer: Performer, prefix: str) -> tuple[str, ...] | None:
    nonce = secrets.token_hex(16)
    program = catalogue.python(
        f"{prefix}/bin/python",
        "deep_check.py",
        (nonce,),
        prefix=prefix,
        data=question((), (), timeout=30, total=60),
        timeout=120,
    )
    try:
        report = parse_report(performer.command(program).stdout, nonce)
    except ValueError:
        return None
    return tuple(one.module for one in report.modules if not one.ok and one.module in STDLIB)


def _remarks(host: str, there: There, local: Local) -> Iterator[Remark]:
    if there.generation is None or there.listing is None:
        yield advice("host-environment", "nothing was built there yet", f"provision up {host}")
        return
    count = len(there.listing.conda) + sum(one.installer != "conda" for one in there.listing.pip)
    yield ok("host-environment", f"generation {there.generation}, {count} packages")
    if local.listing is not None:
        yield from judge_pythons(local.listing, there.listing)
        declared = local.files.all()
        yield from judge_host(local.listing, there.listing, local.source, local.modules, declared)
    if there.lacking:
        packages = " ".join(sorted({STDLIB[one] for one in there.lacking}))
        text = f"its Python cannot import {', '.join(there.lacking)}"
        yield problem(
            "host-stdlib", text, f"add {packages} to environment.yml, then `provision up {host}`", there.lacking
        )
    elif there.lacking is not None:
        yield ok("host-stdlib", f"its Python's standard library is whole ({', '.join(STDLIB)})")
