"""One run of the benchmark: installs, enters the laboratory, and measures the parts that were asked for."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.build_cases import builds
from bench.cases import DISTANCE_MS, FLEET, Plan, cases
from bench.contestants import Peers, openssh, ours
from bench.details import import_seconds, round_trips, wire
from bench.installed import install_ours, install_peers
from bench.job_cases import job_cases
from bench.machine import busy, describe, load, rsync
from bench.report import Results
from bench.stage import stage
from bench.sync_cases import sync_cases

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.record import Part
    from bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure, and how thoroughly."""

    parts: Sequence[Part]
    pairs: int
    full: bool
    """With pyinfra and Ansible, a fleet, and the largest tree."""


def measure(wanted: Wanted) -> Iterator[tuple[Part, Results]]:
    """Install, enter the laboratory, time everything, and yield each part when it is done."""
    # Before the laboratory, which no package registry can be reached from.
    installed = install_ours()
    peers = install_peers() if wanted.full and "up" in wanted.parts else None
    machine = describe(installed, peers)
    with stage(installed) as here:
        if "up" in wanted.parts:
            yield "up", _up(here, machine, Plan(wanted.pairs, peers))
        if "sync" in wanted.parts:
            yield "sync", _sync(here, machine, wanted)
        if "jobs" in wanted.parts:
            yield "jobs", _jobs(here, machine, wanted)
        if "builds" in wanted.parts:
            before = load()
            found = list(builds(here, tell))
            # The load afterwards is our own: eight builds keep every processor at work.
            yield "builds", Results(machine, (before, load()), busy(before), [], builds=found)


def _up(here: Stage, machine: Mapping[str, str], plan: Plan) -> Results:
    before = load()
    tell(f"preparing two hosts, at 0 and {DISTANCE_MS} ms")
    single = {rtt: here.fleet(f"box-{rtt}", 1, rtt) for rtt in (0, DISTANCE_MS)}
    done = list(cases(here, single, lambda rtt: here.apart(f"fleet-{rtt}", FLEET, rtt), plan, tell))
    near = single[0]
    contestants = [ours(here, near), openssh(here, near)]
    if plan.peers is not None:
        others = Peers(here, near, plan.peers)
        contestants += [others.pyinfra(), others.ansible(warm=False)]
    counted = wire(contestants, near)
    imports = import_seconds(here)
    after = load()
    trips = round_trips(done, DISTANCE_MS)
    return Results(machine, (before, after), busy(before, after), done, trips, counted, imports)


def _sync(here: Stage, machine: Mapping[str, str], wanted: Wanted) -> Results:
    before = load()
    hosts = {rtt: here.bare(f"tree-{rtt}", 1, rtt) for rtt in (0, DISTANCE_MS)}
    done = list(sync_cases(here, hosts, wanted.pairs, tell, largest=wanted.full))
    # The load afterwards is our own: to pack and to unpack keeps every processor at work.
    return Results({**machine, "rsync": rsync()}, (before, load()), busy(before), done)


def _jobs(here: Stage, machine: Mapping[str, str], wanted: Wanted) -> Results:
    before = load()
    tell(f"preparing two hosts, at 0 and {DISTANCE_MS} ms")
    hosts = {rtt: here.fleet(f"jobs-{rtt}", 1, rtt) for rtt in (0, DISTANCE_MS)}
    done = list(job_cases(here, hosts, wanted.pairs, tell))
    return Results(machine, (before, load()), busy(before), done)


def tell(text: str) -> None:
    """Say on stderr what is being done."""
    print(f"{time.strftime('%H:%M:%S')} bench: {text}", file=sys.stderr, flush=True)
