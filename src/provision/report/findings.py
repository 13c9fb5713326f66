"""Findings as text: each said once, with the hosts that it holds for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.model.plan import Severity
from provision.report.display import one_line
from provision.report.pages import why

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from provision.model.plan import Finding
    from provision.report.fold import HostReport
    from provision.report.style import Style

_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_NAMED = 5


def finding_lines(
    hosts: Iterable[HostReport], style: Style, *, several: bool, terse: Collection[HostReport] = ()
) -> Iterator[str]:
    """Yield the findings of all hosts, the worst first; equal ones are said once, of `terse` hosts no info."""
    holders: dict[Finding, list[str]] = {}
    for host in hosts:
        for one in host.findings:
            if host in terse and one.severity is Severity.INFO:
                continue
            names = holders.setdefault(one, [])
            if host.name not in names:
                names.append(host.name)
    for finding in sorted(holders, key=lambda one: _RANK[one.severity]):
        where = f" on {names_shown(holders[finding])}" if several else ""
        yield from one_finding(finding, style, where)


def one_finding(finding: Finding, style: Style, where: str = "") -> Iterator[str]:
    """Yield the lines of one finding."""
    head = style.severity(finding.severity, finding.severity.value)
    yield f"{head} {style.bold(one_line(finding.code))}{where}: {one_line(finding.message)}"
    if finding.severity is not Severity.INFO and (reason := why(finding.code)):
        yield style.dim(f"  {reason}")
    if finding.fix:
        yield f"  -> {one_line(finding.fix)}"


def names_shown(names: list[str]) -> str:
    """Return the first few names, and how many more there are."""
    shown = ", ".join(one_line(one) for one in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
