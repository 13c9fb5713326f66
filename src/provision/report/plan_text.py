"""A plan as a person reads it: like a diff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.model.plan import Outcome
from provision.report.display import one_line, output_line
from provision.report.findings import one_finding
from provision.report.plain import counted
from provision.report.summary import GROUPED_FROM, failure_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.model.plan import Step
    from provision.report.fold import HostReport, Report
    from provision.report.style import Style


def plan_lines(report: Report, style: Style) -> Iterator[str]:
    """Yield what would be done on each host and why, and the count of it all."""
    hosts = list(report.hosts.values())
    idle = [one for one in hosts if one.finished and one.outcome is Outcome.CONVERGED and not one.findings]
    grouped = idle if len(hosts) >= GROUPED_FROM and len(idle) > 1 else []
    for host in hosts:
        if host not in grouped:
            yield from _host(host, style)
    if grouped:
        names = ", ".join(one_line(one.name) for one in grouped)
        yield style.green(f"nothing to do on {len(grouped)} hosts") + f": {names}"
    yield ""
    yield _count(hosts, style)


def _host(host: HostReport, style: Style) -> Iterator[str]:
    title = style.bold(one_line(host.target or host.name))
    steps = host.planned
    if steps is None or (host.error is not None and not steps):
        yield f"{title}: {style.outcome(host.outcome, host.outcome.value)}"
        yield from (f"  {line}" for line in failure_lines(host, style))
        return
    yield title if steps else f"{title}: {style.green('nothing to do')}"
    for step in steps:
        yield from _step(step, style)
    for finding in host.findings:
        yield from (f"  {line}" for line in one_finding(finding, style))
    if host.error is not None:
        yield from (f"  {line}" for line in failure_lines(host, style))


def _step(step: Step, style: Style) -> Iterator[str]:
    mark = style.green("+") if step.changed else style.cyan("?")
    check = "" if step.changed else "check: "
    reason = style.dim(f"  ({one_line(step.reason)})") if step.reason else ""
    yield f"  {mark} {check}{style.bold(one_line(step.name))}{reason}"
    for detail in step.details:
        yield f"      {_detail(output_line(detail), style)}"


def _detail(line: str, style: Style) -> str:
    if line.startswith("+"):
        return style.green(line)
    return style.red(line) if line.startswith("-") else line


def _count(hosts: list[HostReport], style: Style) -> str:
    with_steps = [one for one in hosts if one.planned]
    steps = [step for one in with_steps for step in one.planned or ()]
    changes = sum(1 for step in steps if step.changed)
    checks = len(steps) - changes
    unknown = sum(1 for one in hosts if one.planned is None)
    parts = [counted(changes, "change")] if changes else []
    parts += [counted(checks, "check")] if checks else []
    where = f"on {len(with_steps)} of {counted(len(hosts), 'host')}"
    if not parts and unknown == len(hosts):
        return style.red("Plan: none could be made")
    text = f"Plan: {' and '.join(parts)} {where}" if parts else "Plan: nothing to do"
    return style.bold(text) + (style.red(f"; none could be made for {counted(unknown, 'host')}") if unknown else "")
