"""The history as a person reads it: tables on a terminal, aligned lines elsewhere, everything from hosts escaped."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.ledger.happened import CAME, FACT, GENERATION, RUN, WENT
from provision.report.amounts import counted
from provision.report.display import one_line, shortened
from provision.report.duration import duration
from provision.report.style import rich_terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from provision.ledger.happened import Happened
    from provision.ledger.rows import FindingSeen, HostRun, Run, StepRun

LONGEST_CELL = 200
MOST_NAMES = 3
BAD = frozenset({"failed", "unfit", "unreachable", "crashed", "error"})
GOOD = frozenset({"converged", "changed", "ok", "done"})
RUNS = ("WHEN", "COMMAND", "HOSTS", "OUTCOME", "CHANGED", "TOOK", "EXIT", "RUN")
HAPPENED = ("WHEN", "COMMAND", "WHAT", "NAME", "HOW", "RUN")
STEPS = ("HOST", "STEP", "OUTCOME", "TOOK", "WHY")
HOSTS = ("HOST", "OUTCOME", "CHANGED", "TOOK", "VERDICT")
FINDINGS = ("HOST", "FINDING", "SEVERITY", "WHAT")
NARROW = 100
"""Columns of a terminal below which a table leaves out what matters least."""
_LESS = frozenset({"CHANGED", "EXIT"})
_WRAPPED = frozenset({"HOSTS", "HOST", "OUTCOME", "HOW", "VERDICT", "STEP", "WHY", "WHAT", "NAME"})
_WORDS = {RUN: "run", FACT: "changed", GENERATION: "generation", CAME: "came", WENT: "went"}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table; `word` says how it is coloured."""

    cells: tuple[str, ...]
    word: str = ""


def run_lines(runs: Sequence[Run], hosts: Mapping[str, Sequence[HostRun]]) -> list[Line]:
    """Return a line for each run."""
    return [_run(one, hosts.get(one.id, ())) for one in runs]


def happened_lines(found: Sequence[Happened]) -> list[Line]:
    """Return a line for each thing that happened."""
    words = {CAME: "warning", WENT: "ok"}
    return [
        Line(
            (when(one.at), one.command, _WORDS[one.kind], one.name, one.text, short(one.run)),
            one.name if one.kind == RUN else "failed" if one.severity == "error" else words.get(one.kind, ""),
        )
        for one in found
    ]


def host_lines(hosts: Sequence[HostRun]) -> list[Line]:
    """Return a line for each host of a run."""
    return [
        Line((one.host, one.outcome, _yes(one.changed), _took(one), one.verdict or one.error or ""), one.outcome)
        for one in hosts
    ]


def step_lines(steps: Sequence[StepRun]) -> list[Line]:
    """Return a line for each step of a run."""
    return [
        Line(
            (one.host, one.title, one.outcome, "" if one.seconds is None else duration(one.seconds), one.reason or ""),
            one.outcome,
        )
        for one in steps
    ]


def finding_lines(findings: Sequence[FindingSeen]) -> list[Line]:
    """Return a line for each finding of a run."""
    return [
        Line((one.host, one.code, one.severity, one.title), "failed" if one.severity == "error" else "warning")
        for one in findings
    ]


def show(head: tuple[str, ...], lines: Sequence[Line], stream: TextIO, environ: Mapping[str, str]) -> None:
    """Print a table; columns that say nothing are left out, but the first one."""
    cells = [tuple(shortened(one_line(cell[:LONGEST_CELL]), LONGEST_CELL) for cell in one.cells) for one in lines]
    kept = [at for at in range(len(head)) if at == 0 or any(one[at] for one in cells)]
    table = [tuple(one[at] or "-" for at in kept) for one in cells]
    names = tuple(head[at] for at in kept)
    if rich_terminal(stream, environ):
        _draw(names, table, [one.word for one in lines], stream)
        return
    widths = [max(len(row[at]) for row in (names, *table)) for at in range(len(names))]
    for row in (names, *table):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        print(
            text.encode(stream.encoding or "utf-8", "backslashreplace").decode(stream.encoding or "utf-8"), file=stream
        )


def when(at: float) -> str:
    """Return a time as it was here: ``2026-01-31 08:00``."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
    except (ValueError, OverflowError, OSError, TypeError):
        return "?"  # nobody of ours wrote that


def short(run: str) -> str:
    """Return the end of a run's name, by which it can be asked for: the beginning is its time."""
    return run.rpartition("-")[2]


def outcome(run: Run, hosts: Sequence[HostRun]) -> str:
    """Return ``3 converged, 1 unreachable``; where no host was asked, what the exit code says."""
    if run.ended is None:
        return "not ended"
    kinds = Counter(one.outcome for one in hosts)
    if len(hosts) == 1:
        return hosts[0].outcome
    if kinds:
        return ", ".join(f"{number} {word}" for word, number in kinds.most_common())
    return "ok" if run.exit_code == 0 else "failed"


def _run(run: Run, hosts: Sequence[HostRun]) -> Line:
    names = [one.host for one in hosts]
    shown = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
    changed = [one for one in hosts if one.changed]
    told = outcome(run, hosts)
    word = "failed" if any(one.outcome in BAD for one in hosts) else told if len(hosts) < 2 else "ok"  # noqa: PLR2004
    return Line(
        (
            when(run.started),
            run.command,
            shown,
            told,
            "" if not changed else "yes" if len(hosts) == 1 else counted(len(changed), "host"),
            "" if run.ended is None else duration(run.ended - run.started),
            "" if run.exit_code is None else str(run.exit_code),
            short(run.id),
        ),
        word,
    )


def _took(one: HostRun) -> str:
    return "" if one.ended is None else duration(one.ended - one.started)


def _yes(value: bool) -> str:
    return "yes" if value else ""


def _draw(head: Sequence[str], table: Sequence[Sequence[str]], words: Sequence[str], stream: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream)
    left_out = _LESS if console.width < NARROW else frozenset()
    table = [[cell for name, cell in zip(head, row, strict=True) if name not in left_out] for row in table]
    head = [name for name in head if name not in left_out]
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in head:
        drawn.add_column(name, no_wrap=name not in _WRAPPED, overflow="fold")
    coloured = {"OUTCOME", "NAME", "FINDING"}
    for row, word in zip(table, words, strict=True):
        style = "red" if word in BAD else "green" if word in GOOD else "yellow" if word else ""
        drawn.add_row(
            *(Text(cell, style=style if name in coloured else "") for name, cell in zip(head, row, strict=True))
        )
    console.print(drawn)
