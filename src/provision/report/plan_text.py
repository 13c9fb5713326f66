"""A plan as a person reads it: like a diff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.model.plan import Outcome
from provision.report.amounts import amounts, counted, is_change
from provision.report.display import one_line, output_line
from provision.report.findings import one_finding
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
    explained: set[str] = set()
    for host in hosts:
        if host not in grouped:
            yield from _host(host, style, explained)
    if grouped:
        names = ", ".join(one_line(one.name) for one in grouped)
        yield style.green(f"nothing to do on {len(grouped)} hosts") + f": {names}"
    yield ""
    yield _count(hosts, style)


def _host(host: HostReport, style: Style, explained: set[str]) -> Iterator[str]:
    title = style.bold(one_line(host.target or host.name))
    steps = host.planned
    if steps is None or (host.error is not None and not steps):
        yield f"{title}: {style.outcome(host.outcome, host.outcome.value)}"
        yield from (f"  {line}" for line in failure_lines(host, style))
        return
    idle = style.red("nothing to do, and not fit") if host.errors else style.green("nothing to do")
    yield title if steps else f"{title}: {idle}"
    for step in steps:
        yield from _step(step, style)
    for finding in host.findings:
        yield from (f"  {line}" for line in one_finding(finding, style, explained=explained))
    if host.error is not None:
        yield from (f"  {line}" for line in failure_lines(host, style))


def _step(step: Step, style: Style) -> Iterator[str]:
    changes = is_change(step)
    mark = style.green("+") if changes else style.cyan("?")
    check = "" if changes else "check: "
    name = step.name if changes else step.name.removeprefix("check ")
    reason = style.dim(f"  ({one_line(step.reason)})") if step.reason else ""
    yield f"  {mark} {check}{style.bold(one_line(name))}{reason}"
    for detail in step.details:
        yield f"      {_detail(output_line(detail), style)}"


def _detail(line: str, style: Style) -> str:
    if line.startswith("+"):
        return style.green(line)
    return style.red(line) if line.startswith("-") else line


def _count(hosts: list[HostReport], style: Style) -> str:
    with_steps = [one for one in hosts if one.planned]
    text = amounts([step for one in with_steps for step in one.planned or ()])
    unknown = sum(1 for one in hosts if one.planned is None)
    if not text and unknown == len(hosts):
        return style.red("Plan: none could be made")
    several = len(hosts) > 1
    where = f" on {len(with_steps)} of {counted(len(hosts), 'host')}" if several else ""
    line = style.bold(f"Plan: {text}{where}" if text else "Plan: nothing to do")
    line += style.red(_against(hosts, several=several))
    return line + (style.red(f"; none could be made for {counted(unknown, 'host')}") if unknown else "")


def _against(hosts: list[HostReport], *, several: bool) -> str:
    """Return what speaks against the plan; where nothing is to be done, nothing gets better."""
    refused = [one for one in hosts if one.planned and one.outcome is Outcome.UNFIT]
    hopeless = [one for one in hosts if one.planned == () and one.outcome is Outcome.UNFIT]
    open_ones = [one for one in hosts if one.outcome is Outcome.PENDING and one.errors]
    parts = []
    if refused:
        which = f" {counted(len(refused), 'host')}" if several else ""
        parts.append(f"`up` refuses{which}: {_errors(refused)}")
    if hopeless:
        which = f"{counted(len(hopeless), 'host')} " if several else ""
        parts.append(f"{which}not fit: {_errors(hopeless)}")
    start = ", but " if parts else "; "
    if open_ones:
        parts.append(f"{_errors(open_ones)} now, judged again after the changes")
    return start + "; ".join(parts) if parts else ""


def _errors(hosts: list[HostReport]) -> str:
    return counted(sum(len(one.errors) for one in hosts), "error")
