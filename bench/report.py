"""The figures as a table to read and as JSON to compute with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.cases import Case
    from bench.timing import Series

INTRODUCTION = """\
# How long a run takes when there is nothing to do

Written by `python -m bench`. Each command is timed as a whole process on hosts of our own (a real sshd in namespaces,
a plain user, bash), installed as users install it. Two contestants run in turn, A B A B, after one warm-up run each;
a ratio is the median of the ratios of the pairs, so a busy moment weighs on both. A run whose output does not show
that nothing was to be done stops the whole measurement.

- `provision up`: connects, reads every fact, plans Miniconda and the environment, judges the host.
- `ssh host true`: OpenSSH, cold, with host-key checking. It does no work at all.
- pyinfra and ansible-core: seven checks of the same things (`bench/peers/`). Ansible has pipelining, 50 forks, a fixed
  interpreter, and gathers its facts, as it does unless told otherwise. "Warm" keeps its connections open between runs.
- The hosts have no GPU: nvidia-smi's own time is not in the figures.
"""


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that one run of the benchmark found."""

    machine: Mapping[str, str]
    load: tuple[float, float]
    busy: bool
    cases: Sequence[Case]
    round_trips: Mapping[str, float]
    wire: Mapping[str, Mapping[str, int]]
    imports: Mapping[str, float]

    @property
    def missed(self) -> list[str]:
        """A line for each target that was not reached."""
        return [
            f"{one.title}, {one.rtt_ms} ms: {one.duel.ours.name} takes {one.duel.ratio:.2f} of {one.duel.theirs.name}, "
            f"more than {one.target:.2f}"
            for one in self.cases
            if one.missed
        ]


def document(results: Results) -> dict[str, Any]:
    """Return the JSON document."""
    return {
        "machine": dict(results.machine),
        "load_average": {"before": results.load[0], "after": results.load[1], "busy": results.busy},
        "cases": [
            {
                "title": one.title,
                "rtt_ms": one.rtt_ms,
                "ours": _series(one.duel.ours),
                "theirs": _series(one.duel.theirs),
                "ratios": list(one.duel.ratios),
                "ratio": one.duel.ratio,
                "target": one.target,
                "missed": one.missed,
            }
            for one in results.cases
        ],
        "round_trips": dict(results.round_trips),
        "wire_bytes": {name: dict(counts) for name, counts in results.wire.items()},
        "import_seconds": dict(results.imports),
    }


def _series(series: Series) -> dict[str, Any]:
    return {
        "name": series.name,
        "wall_seconds": [one.wall for one in series.samples],
        "median_seconds": series.wall,
        "cpu_seconds": series.cpu,
    }


def markdown(results: Results) -> str:
    """Return the figures as a page of Markdown."""
    return "\n".join([INTRODUCTION, *_where(results), *_cases(results), *_details(results)]) + "\n"


def _where(results: Results) -> Iterator[str]:
    yield "## Where\n"
    for name, value in results.machine.items():
        yield f"- {name}: {value}"
    before, after = results.load
    told = "**the machine was busy with other work: read the ratios, not the seconds**" if results.busy else "quiet"
    yield f"- load average before {before:.2f}, after {after:.2f}: {told}\n"


def _cases(results: Results) -> Iterator[str]:
    yield "## Times\n"
    yield (
        "| work | round trip | ours | median (min to max) | CPU | theirs | median (min to max) | CPU | pairs "
        "| ratio (min to max) | target |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for one in results.cases:
        ratios = one.duel.ratios
        target = "" if one.target is None else f"{'**missed**' if one.missed else 'met'}: <= {one.target:.2f}"
        yield (
            f"| {one.title} | {one.rtt_ms} ms | {_cells(one.duel.ours)} | {_cells(one.duel.theirs)} | {len(ratios)} "
            f"| **{one.duel.ratio:.2f}** ({min(ratios):.2f} to {max(ratios):.2f}) | {target} |"
        )


def _cells(series: Series) -> str:
    return f"{series.name} | {series.wall:.3f} s ({series.fastest:.3f} to {series.slowest:.3f}) | {series.cpu:.2f} s"


def _details(results: Results) -> Iterator[str]:
    yield "\n## On the wire, one host\n"
    yield "Round trips: by how much the fastest run is slower at 100 ms, over 100 ms. Bytes: IP packets of one run.\n"
    yield "| | round trips | sent | received |\n|---|---|---|---|"
    for name in dict.fromkeys((*results.round_trips, *results.wire)):
        trips = f"{results.round_trips[name]:.1f}" if name in results.round_trips else ""
        sent, received = (
            f"{results.wire[name][way]:,}" if name in results.wire else "" for way in ("sent", "received")
        )
        yield f"| {name} | {trips} | {sent} | {received} |"
    yield "\n## Imports\n"
    yield "Milliseconds by `python -X importtime` (which itself slows them down), each with all that it loads first.\n"
    yield "| module | ms |\n|---|---|"
    for name, seconds in results.imports.items():
        yield f"| {name} | {seconds * 1000:.1f} |"
