"""Findings as text: each said once, with the hosts that it holds for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.model.plan import Severity
from provision.report.display import one_line
from provision.report.pages import why

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from provision.model.plan import Finding
    from provision.report.fold import HostReport
    from provision.report.style import Style

_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_NAMED = 5
_EXPLAINED = 3
_REMARK = re.compile(r" {3}(?=\()")
"""Between a command and what is to be known of it."""


def finding_lines(
    hosts: Iterable[HostReport],
    style: Style,
    *,
    several: bool,
    terse: Collection[HostReport] = (),
    said: Mapping[str, Finding] | None = None,
) -> Iterator[str]:
    """Yield the findings of all hosts, the worst first; equal ones are said once, of `terse` hosts no info.

    Args:
        hosts: Those of the run.
        style: Colours, or none.
        several: Whether hosts must be named.
        terse: Hosts of which no info is told.
        said: The finding whose message stands in a host's verdict already, by the host's name.
    """
    holders: dict[Finding, list[str]] = {}
    for host in hosts:
        for one in host.findings:
            if host in terse and one.severity is Severity.INFO:
                continue
            names = holders.setdefault(one, [])
            if host.name not in names:
                names.append(host.name)
    explained: set[str] = set()
    for finding in sorted(holders, key=lambda one: _RANK[one.severity]):
        where = f" on {names_shown(holders[finding])}" if several else ""
        known = all((said or {}).get(name) == finding for name in holders[finding])
        yield from one_finding(finding, style, where, explained=explained, message=not known)


def one_finding(
    finding: Finding, style: Style, where: str = "", *, explained: set[str] | None = None, message: bool = True
) -> Iterator[str]:
    """Yield the lines of one finding; of a code in `explained`, where it is noted, not again why it matters."""
    head = style.severity(finding.severity, finding.severity.value)
    text = f": {one_line(finding.message)}" if message else ""
    yield f"{head} {style.bold(one_line(finding.code))}{where}{text}"
    told = explained is not None and finding.code in explained
    if finding.severity is not Severity.INFO and not told and (reason := why(finding.code)):
        yield style.dim(f"  {reason}")
    if explained is not None:
        explained.add(finding.code)
    if finding.fix:
        yield from (f"  {line}" for line in fix_lines(finding.fix, style))


def fix_lines(fix: str, style: Style) -> Iterator[str]:
    """Yield what to do; of ``COMMAND   (remark)`` the command alone in its line, so that it can be copied."""
    command, *remarks = _REMARK.split(fix) if fix.endswith(")") else [fix]
    yield f"-> {one_line(command.rstrip())}"
    yield from (style.dim(f"   {one_line(remark.strip())}") for remark in remarks)


def more_line(hosts: Iterable[HostReport]) -> str | None:
    """Return the command that explains the errors and warnings of a run; ``None`` where none has a page."""
    found = [one for host in hosts for one in host.findings if one.severity is not Severity.INFO and why(one.code)]
    codes = list(dict.fromkeys(one.code for one in sorted(found, key=lambda one: _RANK[one.severity])))
    if not codes:
        return None
    command = "provision verify --explain"
    if len(codes) == 1:
        return f"{command} {one_line(codes[0])}"
    more = " ..." if len(codes) > _EXPLAINED else ""
    return f"{command} CODE, for one of {', '.join(one_line(one) for one in codes[:_EXPLAINED])}{more}"


def names_shown(names: list[str]) -> str:
    """Return the first few names, and how many more there are."""
    shown = ", ".join(one_line(one) for one in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
