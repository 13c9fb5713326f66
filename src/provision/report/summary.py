"""The end of a run: one line a host, then what went wrong, what was found, and what to do next."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provision.model.plan import Outcome
from provision.report.amounts import counted
from provision.report.causes import TeamCause, told_causes
from provision.report.display import one_line, output_line, shortened, without_name
from provision.report.duration import duration
from provision.report.findings import finding_lines, fix_lines
from provision.report.verdict import FIT, UNFIT, verdict_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.report.fold import HostReport, Report
    from provision.report.style import Style

GROUPED_FROM = 9
"""From that many hosts on, those where nothing was to be done share one line."""
_NAMES_SHOWN = 3
_NAME_COLUMNS = 40
_OUTCOME_WIDTH = max(len(one.value) for one in Outcome)


def summary_lines(report: Report, style: Style, *, verbose: bool = False) -> Iterator[str]:
    """Yield the summary of a run that was meant to change or to judge hosts."""
    hosts = list(report.hosts.values())
    quiet = [one for one in hosts if one.finished and one.outcome is Outcome.CONVERGED]
    grouped = quiet if len(hosts) >= GROUPED_FROM and len(quiet) > 1 else []
    width = max((len(one_line(one.name)) for one in hosts if one not in grouped), default=0)
    for host in hosts:
        if host not in grouped:
            yield from _host(host, report.command, width, style, verbose=verbose)
    if grouped:
        names = ", ".join(one_line(one.name) for one in grouped)
        yield style.green(f"{Outcome.CONVERGED.value} ({len(grouped)})") + f": {names}"
    # What is worth knowing was said when the host was made so.
    terse = quiet if report.command == "up" and not verbose else []
    said = {one.name: one.errors[0] for one in hosts if one.finished and one.outcome is Outcome.UNFIT and one.errors}
    found = list(finding_lines(hosts, style, several=len(hosts) > 1, terse=terse, said=said))
    if found:
        yield ""
        yield from found
    if len(hosts) > 1:
        yield ""
        yield _total(hosts, style)


def failure_lines(host: HostReport, style: Style, *, verbose: bool = False) -> Iterator[str]:
    """Yield why a host did not get there, what to do about it, and what was left undone."""
    error = host.error
    if error is None:
        if not host.finished:
            yield "its worker ended without a word: this is a bug of provision"
        return
    if host.outcome is Outcome.UNFIT:
        yield from _verdict(host, style)
    else:
        yield one_line(without_name(error.message, host.name))
    # The finding that stopped the host says the same below.
    if error.hint and error.hint not in {one.fix for one in host.errors}:
        yield from fix_lines(error.hint, style)
    for known in told_causes(error):
        own = " (your team's)" if isinstance(known, TeamCause) else ""
        yield f"known pitfall {known.id}{own}: {one_line(known.cause)}"
        for line in known.fix:
            yield from fix_lines(line.removeprefix("$ "), style)
    failed = {one.name for one in host.steps if not one.ok}
    left = [one for one in host.left if one not in failed]
    if left:
        yield f"not done: {_steps_shown(left)}"
    if error.detail and verbose:
        yield from (style.dim(f"| {output_line(one)}") for one in error.detail.splitlines() if one.strip())


def _host(host: HostReport, command: str, width: int, style: Style, *, verbose: bool) -> Iterator[str]:
    # Padded before it is coloured: the codes of a colour have no width.
    outcome = style.outcome(host.outcome, f"{host.outcome.value:<{_OUTCOME_WIDTH}}")
    yield f"{style.bold(f'{one_line(host.name):<{width}}')}  {outcome}  {_did(host, command)}".rstrip()
    below = " " * (width + 2)
    for line in failure_lines(host, style, verbose=verbose):
        yield f"{below}{line}"
    if host.error is None:
        yield from (f"{below}{line}" for line in _verdict(host, style))


def _verdict(host: HostReport, style: Style) -> Iterator[str]:
    text = verdict_line(host)
    if text is not None:
        fit = text.startswith(FIT)
        yield f"{style.green(FIT)}{text[len(FIT) :]}" if fit else f"{style.red(UNFIT)}{text[len(UNFIT) :]}"


def _did(host: HostReport, command: str) -> str:
    took = duration(host.seconds)
    changed = [one.name for one in host.changes]
    if changed:
        return f"{counted(len(changed), 'change')} in {took}: {_steps_shown(changed)}"
    if host.outcome is Outcome.SKIPPED:
        return ""
    if command == "verify" and host.steps:
        good = sum(1 for one in host.steps if one.ok)
        return f"{good} of {counted(len(host.steps), 'check')} passed in {took}"
    if host.error is None and host.outcome in {Outcome.CONVERGED, Outcome.UNFIT}:
        return f"{counted(len(host.steps), 'check')} in {took}" if host.steps else f"nothing to do, {took}"
    return f"after {took}"


def _steps_shown(names: list[str]) -> str:
    shown = ", ".join(shortened(one_line(one), _NAME_COLUMNS) for one in names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"


def _total(hosts: list[HostReport], style: Style) -> str:
    counts = Counter(one.outcome for one in hosts)
    parts = ", ".join(style.outcome(one, f"{counts[one]} {one.value}") for one in Outcome if counts[one])
    return f"{counted(len(hosts), 'host')}: {parts}"
