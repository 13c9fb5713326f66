"""The figures as a page to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.build_cases import Build
    from bench.cases import Case
    from bench.record import Part, Record

INTRODUCTION = """\
# How long a run takes

Written by `python -m bench`. Each command is timed as a whole process on hosts of our own (a real sshd in namespaces,
a plain user, bash), installed as users install it. Two contestants run in turn, A B A B, after one warm-up run each;
a ratio is the median of the ratios of the pairs, so a busy moment weighs on both. A run that fails, or whose output
does not show that it did this work and no other, stops the whole measurement.
"""
PARTS: dict[Part, str] = {
    "up": """\
## Up, when there is nothing to do

- `provision up`: connects, reads every fact, plans Miniconda and the environment, judges the host.
- `ssh host true`: OpenSSH, cold, with host-key checking. It does no work at all.
- pyinfra and ansible-core: seven checks of the same things (`bench/peers/`). Ansible has pipelining, 50 forks, a fixed
  interpreter, and gathers its facts, as it does unless told otherwise. "Warm" keeps its connections open between runs.
- The hosts have no GPU: nvidia-smi's own time is not in the figures.
""",
    "sync": """\
## Sync

- The trees: text that looks like source code, about 6 KB a file, in a git work tree (`bench/trees.py`). Each
  contestant has a copy of its own, on the same machine, and sends it to the same host.
- `provision sync HOST --yes`, and `rsync -az --delete --exclude=.git` over the same OpenSSH, cold, as `ssh host true`.
- First upload: the host has no such tree, and this machine remembers nothing of it. One file changed: another file
  before each run, and the same edit for both; the edit is not timed.
- After each row both trees on the host are compared with their source, by a digest of every path and content.
""",
    "jobs": """\
## Jobs

- `provision run --detach HOST -- true`: syncs (nothing has changed), takes a snapshot of the project, launches the job
  in its environment, and prints its id. `ssh host true` does no work at all.
- `provision logs JOB --tail 20`: the end of a log of 1 GiB, beside `ssh host tail -n 20` of the same file.
""",
    "builds": """\
## Many bare hosts at once

- `provision up all --frozen` of hosts that have nothing, from one lock: installer, Miniconda, environment, its proof.
  One host alone, and eight at the same time. They share this machine's processors, so counts are told, not times.
- Solved: how often anybody, here or there, read an index of a channel. Sent: all that came to a host, what it
  downloads too. Overlap: how long all of them built, and were at work, at once, by the time line of events in the
  run's log; beside it the host that took longest.
""",
}


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that one part of the benchmark found."""

    machine: Mapping[str, str]
    load: tuple[float, float]
    busy: bool
    cases: Sequence[Case]
    round_trips: Mapping[str, float] = field(default_factory=dict)
    wire: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    imports: Mapping[str, float] = field(default_factory=dict)
    builds: Sequence[Build] = ()

    @property
    def missed(self) -> list[str]:
        """A line for each target that was not reached."""
        slow = [
            f"{one.title}, {one.rtt_ms} ms: {one.duel.ours.name} takes {one.duel.ratio:.2f} of "
            f"{one.duel.theirs.name}, more than {one.target:.2f}"
            for one in self.cases
            if one.missed
        ]
        solved = [
            f"{one.hosts} hosts at once: an index was read {one.solves} times, so something was solved"
            for one in self.builds
            if one.solves
        ]
        apart = [
            f"{one.hosts} hosts at once: all built together for {one.building:.1f} s, and were at work together for "
            f"{one.overlap:.1f} s of {one.longest:.1f}"
            for one in self.builds
            if one.building <= 0 or one.overlap < one.longest / 2
        ]
        return slow + solved + apart


def markdown(records: Mapping[Part, Record]) -> str:
    """Return the figures as a page of Markdown."""
    lines = [INTRODUCTION]
    for part, record in records.items():
        lines += [
            PARTS[part],
            *_where(record),
            *_cases(record),
            *_wire(record),
            *_imports(record),
            *_builds(record),
            "",
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _where(record: Record) -> Iterator[str]:
    yield "### Where\n"
    for name, value in record["machine"].items():
        yield f"- {name}: {value}"
    load = record["load_average"]
    told = "**the machine was busy with other work: read the ratios, not the seconds**" if load["busy"] else "quiet"
    yield f"- load average before {load['before']:.2f}, after {load['after']:.2f}: {told}\n"


def _cases(record: Record) -> Iterator[str]:
    if not record["cases"]:
        return
    yield "### Times\n"
    yield (
        "| work | round trip | ours | median (min to max) | CPU | theirs | median (min to max) | CPU | pairs "
        "| ratio (min to max) | target |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for one in record["cases"]:
        ratios, limit = one["ratios"], one["target"]
        target = "" if limit is None else f"{'**missed**' if one['missed'] else 'met'}: <= {limit:.2f}"
        yield (
            f"| {one['title']} | {one['rtt_ms']} ms | {_cells(one['ours'])} | {_cells(one['theirs'])} | {len(ratios)} "
            f"| **{one['ratio']:.2f}** ({min(ratios):.2f} to {max(ratios):.2f}) | {target} |"
        )


def _cells(series: Record) -> str:
    walls = series["wall_seconds"]
    spread = f"({min(walls):.3f} to {max(walls):.3f})"
    return f"{series['name']} | {series['median_seconds']:.3f} s {spread} | {series['cpu_seconds']:.2f} s"


def _wire(record: Record) -> Iterator[str]:
    round_trips, wire = record["round_trips"], record["wire_bytes"]
    if not (round_trips or wire):
        return
    yield "\n### On the wire, one host\n"
    yield "Round trips: by how much the fastest run is slower at 100 ms, over 100 ms. Bytes: IP packets of one run.\n"
    yield "| | round trips | sent | received |\n|---|---|---|---|"
    for name in dict.fromkeys((*round_trips, *wire)):
        trips = f"{round_trips[name]:.1f}" if name in round_trips else ""
        sent, received = (f"{wire[name][way]:,}" if name in wire else "" for way in ("sent", "received"))
        yield f"| {name} | {trips} | {sent} | {received} |"


def _imports(record: Record) -> Iterator[str]:
    if not record["import_seconds"]:
        return
    yield "\n### Imports\n"
    yield "Milliseconds by `python -X importtime` (which itself slows them down), each with all that it loads first.\n"
    yield "| module | ms |\n|---|---|"
    for name, seconds in record["import_seconds"].items():
        yield f"| {name} | {seconds * 1000:.1f} |"


def _builds(record: Record) -> Iterator[str]:
    if not record.get("builds"):
        return
    yield "### Counts\n"
    yield (
        "| hosts at once | solved | our CPU, each | sent, each | received, each | programs run, each "
        "| all building | all at work | longest |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for one in record["builds"]:
        seconds = " | ".join(f"{one[key]:.1f} s" for key in ("building", "overlap", "longest"))
        yield (
            f"| {one['hosts']} | {one['solves']} | {one['cpu'] / one['hosts']:.2f} s | {one['sent']:,.0f} "
            f"| {one['received']:,.0f} | {one['exchanges']:.1f} | {seconds} |"
        )
