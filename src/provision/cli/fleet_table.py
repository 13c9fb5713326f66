"""The fleet as a table: one row a host, columns aligned in a pipe, drawn on a terminal."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TextIO

from provision.model.plan import Outcome, Severity
from provision.playbook.paths import expand
from provision.report.asked import in_use
from provision.report.display import one_line
from provision.report.proofs import proven
from provision.report.style import rich_terminal
from provision.report.verdict import HUNG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.model.facts import Facts
    from provision.model.host import Host
    from provision.report.fold import HostReport, Report

COLUMNS = (
    *("host", "address", "user", "groups"),
    *("cloud", "instance", "type", "state", "price", "age"),
    *("reached", "system", "GPUs", "driver", "conda", "environments", "free"),
    "verdict",
)
CLOUD_COLUMNS = ("cloud", "instance", "type", "state", "price", "age")
"""Only there where a cloud was asked."""
DROPPED = (
    "instance",
    "age",
    "price",
    "type",
    "cloud",
    "user",
    "groups",
    "free",
    "environments",
    "conda",
    "driver",
    "address",
    "reached",
    "system",
)
"""What a narrow terminal does without, the first of them first."""
NOTHING = "-"
UNPROVEN = "GPU-UNPROVEN"
_MIB_PER_GIB = 1024
_GIB = 1 << 30
_GAP = 2
_RELEASE = re.compile(r"(?P<name>\D+?)(?: GNU/Linux)? (?P<version>\d+(?:\.\d+)?)")
_SHORT = {"NVIDIA ": "", "GeForce ": "", "Tesla ": ""}
_COLOURS = {
    "fit": "green",
    "unfit": "red",
    "unproven": "yellow",
    "unknown": "yellow",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One host of the table."""

    host: Host
    reached: str
    """``yes``, why not in a word, or ``-`` where nobody asked."""
    verdict: str
    """``fit``, ``unfit``, ``unproven``, ``unknown``, or ``-`` where nobody asked.

    ``unproven``: nothing was seen to work there as it is now, or no GPU is there and one is expected.
    """
    facts: Facts | None
    unfit: bool = False
    """Whether a finding is an error: a GPU that is expected and not there makes it ``unproven`` and unfit."""
    prefix: str | None = None
    """The conda that the host's playbook names."""

    @property
    def name(self) -> str:
        """The host's name."""
        return self.host.name

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts of the columns; what came from the host is escaped."""
        host, facts = self.host, self.facts
        address = f"[{host.address}]" if ":" in host.address else host.address
        cells = (
            host.name,
            f"{address}:{host.port}",
            host.user or NOTHING,
            ",".join(host.groups),
            *_cloud(host),
            self.reached,
            *(_facts(facts, self.prefix) if facts else (NOTHING,) * 6),
            self.verdict,
        )
        return tuple(one_line(cell) or NOTHING for cell in cells)


def rows_of(hosts: Sequence[Host], report: Report | None, prefixes: Mapping[str, str] | None = None) -> list[Row]:
    """Return the rows, in the inventory's order; without a report only what the inventory says.

    Args:
        hosts: The hosts to show.
        report: What was read of them.
        prefixes: The conda that each host's playbook names, by the host's name.
    """
    if report is None:
        return [Row(host, NOTHING, NOTHING, None) for host in hosts]
    return [replace(_row(host, report.hosts[host.name]), prefix=(prefixes or {}).get(host.name)) for host in hosts]


def show(rows: Sequence[Row], stream: TextIO, environ: Mapping[str, str]) -> None:
    """Print the table."""
    if rich_terminal(stream, environ):
        _draw(rows, stream)
    else:
        for line in plain_lines(rows, shutil.get_terminal_size().columns if stream.isatty() else None):
            print(line, file=stream)


def plain_lines(rows: Sequence[Row], width: int | None = None) -> list[str]:
    """Return the table as aligned text, two spaces between columns; where a width is given, what fits there."""
    every = [COLUMNS, *(row.cells for row in rows)]
    said = [
        at
        for at, name in enumerate(COLUMNS)
        if name not in CLOUD_COLUMNS or any(one[at] != NOTHING for one in every[1:])
    ]
    kept = said if width is None else fitting(rows, width)
    table = [[line[at] for at in kept] for line in every]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]


def fitting(rows: Sequence[Row], width: int, gap: int = _GAP) -> list[int]:
    """Return which columns to show in so many columns of a terminal; host, GPUs and verdict always."""
    cells = [row.cells for row in rows]
    # Columns that say nothing for any host only take room.
    kept = [at for at in range(len(COLUMNS)) if at == 0 or any(line[at] != NOTHING for line in cells)]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *cells, strict=True)]
    for name in DROPPED:
        if sum(widths[at] for at in kept) + gap * (len(kept) - 1) <= width:
            break
        kept = [at for at in kept if COLUMNS[at] != name]
    return kept


def _row(host: Host, seen: HostReport) -> Row:
    error = seen.error
    if error is not None:
        words = {"network": "no", "link": "lost", "host_key": "host key", "authentication": "login"}
        reached = "yes" if seen.facts else words.get(error.kind, error.kind)
        return Row(host, reached, "unknown", seen.facts)
    if seen.facts is None or seen.outcome in {Outcome.SKIPPED, Outcome.INTERRUPTED, Outcome.CRASHED}:
        return Row(host, NOTHING, "unknown", seen.facts)
    return Row(host, "yes", _verdict(seen), seen.facts, bool(seen.errors))


def _verdict(seen: HostReport) -> str:
    errors = {one.code for one in seen.findings if one.severity is Severity.ERROR}
    if errors == {UNPROVEN}:
        return "unproven"
    if errors:
        return "unfit"
    return "fit" if seen.facts is not None and proven(seen.facts, in_use(seen.facts, None)) else "unproven"


def _cloud(host: Host) -> tuple[str, ...]:
    """Return the cells of `CLOUD_COLUMNS`."""
    one = host.provider
    if one is None:
        return ("",) * len(CLOUD_COLUMNS)
    known = one.state is not None
    return (
        " ".join(word for word in (one.cloud, one.zone or one.region) if word),
        one.instance or "",
        one.type or "",
        (one.state or "") + (" ?" if one.as_of is not None else ""),
        ("spot" if one.spot else "on demand") if known else "",
        _age(one.created),
    )


def _age(created: str | None) -> str:
    """Return how long ago that was: ``3 d``, ``5 h``; nothing where it cannot be read."""
    try:
        then = datetime.fromisoformat((created or "").replace("Z", "+00:00"))
    except ValueError:
        return ""
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    hours = int((datetime.now(timezone.utc) - then).total_seconds() // 3600)
    return f"{hours // 24} d" if hours >= 48 else f"{max(hours, 0)} h"  # noqa: PLR2004 - two days


def _facts(facts: Facts, prefix: str | None) -> tuple[str, ...]:
    system = facts.system
    home = facts.disk(system.home) or next(iter(facts.disks), None)
    state = facts.disk(facts.state_dir)
    # Environments go to state_dir: what is free there is what counts.
    disk = state or home
    return (
        _release(system.os) or f"{system.system} {system.kernel}",
        _gpus(facts),
        facts.gpu.driver or facts.gpu.driver_loaded or "",
        _condas(facts, prefix),
        ", ".join(f"{one.project}/{one.name} {one.current}" for one in facts.environments if one.current),
        f"{disk.free / _GIB:.0f} GiB" if disk else "",
    )


def _condas(facts: Facts, prefix: str | None) -> str:
    """Return ``Miniconda 25.1.1 ~/miniconda3``: the conda that is used where it is known, else each that runs."""
    home = facts.system.home
    running = [one for one in facts.condas if one.runs]
    used = [one for one in running if prefix is not None and one.prefix == expand(prefix, home)]
    return ", ".join(
        f"{one.distribution or 'conda'} {one.version or '?'} {_short_path(one.prefix, home)}" for one in used or running
    )


def _short_path(path: str, home: str) -> str:
    return f"~{path[len(home) :]}" if home != "/" and path.startswith(f"{home}/") else path


def _release(os: str | None) -> str:
    """Return ``Debian 12`` for ``Debian GNU/Linux 12 (bookworm)``, ``Ubuntu 22.04`` for ``Ubuntu 22.04.4 LTS``."""
    found = _RELEASE.match(os or "")
    return f"{found['name']} {found['version']}" if found else os or ""


def _gpus(facts: Facts) -> str:
    gpu = facts.gpu
    if not gpu.gpus:
        # Whoever counts the cards did not answer: that is not the same as that there are none.
        if HUNG in {gpu.nvidia_smi, *(one.code for one in gpu.others)}:
            return "?"
        return "AMD" if gpu.amd else "Ascend" if gpu.ascend else "none"
    kinds = Counter((one.name, one.memory_mib) for one in gpu.gpus)
    return " + ".join(
        f"{number}x {_short(name)}" + (f" {memory / _MIB_PER_GIB:.0f} GiB" if memory else "")
        for (name, memory), number in kinds.items()
    )


def _short(name: str) -> str:
    for word, short in _SHORT.items():
        name = name.replace(word, short)
    return name


def _draw(rows: Sequence[Row], stream: TextIO) -> None:
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream)
    last = len(COLUMNS) - 1
    kept = fitting(rows, console.width - _GAP, gap=_GAP + 1)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for at in kept:
        whole = at in {0, last}
        width = max(cell_len(one) for one in (COLUMNS[at], *(row.cells[at] for row in rows))) if whole else None
        table.add_column(COLUMNS[at], no_wrap=whole, min_width=width)
    for row in rows:
        colour = _COLOURS.get(row.verdict, "")
        table.add_row(*(Text(row.cells[at], style=colour if at == last else "") for at in kept))
    console.print(table)
