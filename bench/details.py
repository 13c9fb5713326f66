"""What a converged `up` is made of: round trips, bytes on the wire, and the time of imports."""

from __future__ import annotations

import re
import subprocess
from statistics import median
from typing import TYPE_CHECKING

from bench.stage import wire_bytes
from bench.timing import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.cases import Case
    from bench.stage import Fleet, Stage
    from bench.timing import Contestant

MODULES = (
    "provision.cli.main",
    "provision.cli.convergence",
    "provision.cli.running",
    "provision.ssh.link",
    "provision.report.face",
    "yaml",
    "paramiko",
    "fabric",
    "invoke",
    "cryptography.hazmat.primitives.asymmetric.ec",
)
LINE = re.compile(r"import time:\s*\d+ \|\s*(\d+) \|\s*(\S+)")
TIMES = 5


def import_seconds(stage: Stage) -> dict[str, float]:
    """Return the median seconds in which each main module loads with all it needs, in the order of a converged `up`."""
    found: dict[str, list[float]] = {name: [] for name in MODULES}
    code = "import " + ", ".join(name for name in MODULES if name.startswith("provision."))
    for _ in range(TIMES):
        argv = [stage.ours.python, "-X", "importtime", "-c", code]
        asked = subprocess.run(argv, env=stage.env, capture_output=True, text=True, check=True)
        for microseconds, name in LINE.findall(asked.stderr):
            if name in found:
                found[name].append(int(microseconds) / 1e6)
    return {name: median(values) for name, values in found.items() if values}


def wire(contestants: Iterable[Contestant], host: Fleet) -> dict[str, dict[str, int]]:
    """Return the bytes that one run of each contestant sends to and receives from the host."""
    counted = {}
    for one in contestants:
        sent, received = wire_bytes(host.hosts)
        run(one)
        sent_after, received_after = wire_bytes(host.hosts)
        counted[one.name] = {"sent": sent_after - sent, "received": received_after - received}
    return counted


def round_trips(done: Iterable[Case], distance_ms: int) -> Mapping[str, float]:
    """Return for each contestant on one host by how many round trips its fastest run is slower at a distance."""
    fastest: dict[str, dict[int, float]] = {}
    for case in done:
        if case.title == "1 host":
            for series in (case.duel.ours, case.duel.theirs):
                at = fastest.setdefault(series.name, {})
                at[case.rtt_ms] = min(series.fastest, at.get(case.rtt_ms, series.fastest))
    return {
        name: (at[distance_ms] - at[0]) / (distance_ms / 1000)
        for name, at in fastest.items()
        if {0, distance_ms} <= at.keys()
    }
