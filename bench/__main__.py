"""Runs the benchmark: writes bench/results.json and bench/RESULTS.md, and exits with 1 when a target is missed."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.controller import why_not

from bench.cases import DISTANCE_MS, FLEET, Plan, cases
from bench.contestants import Peers, openssh, ours
from bench.details import import_seconds, round_trips, wire
from bench.installed import install_ours, install_peers
from bench.machine import busy, describe, load
from bench.report import Results, document, markdown
from bench.stage import stage
from bench.timing import CommandFailedError

HERE = Path(__file__).parent
PAIRS = 7
QUICK_PAIRS = 3


@dataclass
class Asked(argparse.Namespace):
    """The options of a run."""

    quick: bool = False
    pairs: int = 0
    into: Path = field(default=HERE)


def main() -> int:
    """Measure, print, write, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_PAIRS} pairs, one host, without the peers")
    parser.add_argument("--pairs", type=int, default=0, metavar="N", help=f"pairs of each comparison (default {PAIRS})")
    parser.add_argument("--into", type=Path, default=HERE, metavar="FOLDER", help="for results.json and RESULTS.md")
    asked = parser.parse_args(namespace=Asked())
    reason = why_not()
    if reason is not None:
        print(f"bench: {reason}", file=sys.stderr)
        return 2
    try:
        results = measure(asked.pairs or (QUICK_PAIRS if asked.quick else PAIRS), with_peers=not asked.quick)
    except CommandFailedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    (asked.into / "results.json").write_text(json.dumps(document(results), indent=1) + "\n")
    page = markdown(results)
    (asked.into / "RESULTS.md").write_text(page)
    print(page)
    for line in results.missed:
        print(f"bench: target missed: {line}", file=sys.stderr)
    return 1 if results.missed else 0


def measure(pairs: int, *, with_peers: bool) -> Results:
    """Install, enter the laboratory, and time everything."""
    before = load()
    # Before the laboratory, which no package registry can be reached from.
    installed = install_ours()
    peers = install_peers() if with_peers else None
    machine = describe(installed, peers)
    with stage(installed) as here:
        tell(f"preparing two hosts, at 0 and {DISTANCE_MS} ms")
        single = {rtt: here.fleet(f"box-{rtt}", 1, rtt) for rtt in (0, DISTANCE_MS)}
        done = list(cases(here, single, lambda rtt: here.apart(f"fleet-{rtt}", FLEET, rtt), Plan(pairs, peers), tell))
        near = single[0]
        contestants = [ours(here, near), openssh(here, near)]
        if peers is not None:
            others = Peers(here, near, peers)
            contestants += [others.pyinfra(), others.ansible(warm=False)]
        counted = wire(contestants, near)
        imports = import_seconds(here)
    trips = round_trips(done, DISTANCE_MS)
    after = load()
    return Results(machine, (before, after), busy(before, after), done, trips, counted, imports)


def tell(text: str) -> None:
    """Say on stderr what is being done."""
    print(f"{time.strftime('%H:%M:%S')} bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    # What slows Python down in a developer's shell must not reach what is timed, nor what is installed.
    for name in [name for name in os.environ if name in {"PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS"}]:
        del os.environ[name]
    sys.exit(main())
