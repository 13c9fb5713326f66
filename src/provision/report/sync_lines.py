"""The end of a sync: a line for each host, what was kept there, and what went wrong; or what would be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.model.plan import Outcome
from provision.report.amounts import counted
from provision.report.display import one_line
from provision.report.duration import duration
from provision.report.summary import GROUPED_FROM, failure_lines
from provision.sync.sizes import files, sized

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.model.sync import SyncPlan, SyncResult
    from provision.report.fold import HostReport, Report
    from provision.report.style import Style

SHOWN = 10
"""Paths of one kind that the result names."""
LISTED = 50
"""Paths of one kind that `--dry-run` lists."""
LONGEST = 200
"""Characters of a path that are shown; `--json` has it whole."""


def sync_lines(report: Report, style: Style, *, verbose: bool = False) -> Iterator[str]:
    """Yield the result of a sync, or what it would be."""
    hosts = list(report.hosts.values())
    same = [one for one in hosts if one.finished and one.outcome is Outcome.CONVERGED]
    grouped = same if len(hosts) >= GROUPED_FROM and len(same) > 1 else []
    for host in hosts:
        if host not in grouped:
            yield from host_lines(host, style, foresees=report.foresees, verbose=verbose)
    if grouped:
        names = ", ".join(one_line(one.name) for one in grouped)
        yield style.green(f"up to date ({len(grouped)})") + f": {names}"
    if report.foresees:
        yield from _left_out(report.left_out, style, verbose=verbose)


def host_lines(host: HostReport, style: Style, *, foresees: bool = False, verbose: bool = False) -> Iterator[str]:
    """Yield how one host ended: its line, and what a reader must know below it."""
    name = style.bold(one_line(host.name))
    plan, done = host.sync, host.synced
    if host.error is not None or not host.finished:
        yield f"{name}: {style.outcome(host.outcome, host.outcome.value)}"
        yield from (f"  {line}" for line in failure_lines(host, style, verbose=verbose))
        if host.error is not None and host.error.kind == "usage" and not verbose:
            # What stands there must be known to answer; it is our own text.
            yield from (f"  {one_line(line)}" for line in (host.error.detail or "").splitlines())
        return
    if foresees and plan is not None and (done is None or not done.up_to_date):
        yield from _foreseen(name, plan, style, verbose=verbose)
        return
    yield f"{name}: {what_was_done(host, style)}"
    if done is not None:
        yield from (f"  {line}" for line in below(done, style, verbose=verbose))


def what_was_done(host: HostReport, style: Style) -> str:
    """Return ``up to date (20,000 files)``, ``3 files sent, 1 removed (12 kB in 0.4 s)``, or the like."""
    done = host.synced
    if done is None or done.up_to_date:
        count = f" ({files(done.plan.files)})" if done is not None else ""
        return style.green("up to date") + count
    plan, took = done.plan, duration(host.seconds)
    there = f"; {sized(plan.resumed)} were there from a sync that broke" if plan.resumed or plan.staged else ""
    if plan.first:
        wire = f"{sized(plan.bytes)} ({sized(done.wire_bytes)} over the wire{there})"
        what = f"{files(plan.travelling)}, {wire}" if plan.sent else "nothing had to be sent,"
        return f"{style.green('first sync')}: {what} in {took} -> {path_shown(host.tree)}"
    amount = f"{sized(plan.bytes)} in {took}" if plan.bytes else took
    return f"{style.green(counts(plan, done.left))} ({amount}{there})"


def below(done: SyncResult, style: Style, *, verbose: bool = False) -> Iterator[str]:
    """Yield what was found on the host that nobody expected there."""
    plan = done.plan
    if plan.owner:
        yield f"{style.yellow('it was the tree of')} {one_line(plan.owner)}; now it is yours"
    changed = [one for one in done.kept if one[0] not in done.strange]
    strange = [one for one in done.kept if one[0] in done.strange]
    for what, then, pairs in (
        ("changed on the host since the last sync", "its version is kept at", changed),
        ("stood there, and no sync had put it there", "kept at", strange),
        ("had to make way when a sync that broke was brought to its end", "kept at", done.earlier),
    ):
        kept = [f"{path_shown(path)}; {then} {path_shown(where)}" for path, where in pairs]
        yield from (f"{style.yellow(what)}: {line}" for line in _some(kept, SHOWN, verbose=verbose))
    missing = [path_shown(path) for path in plan.missing]
    for line in _some(missing, SHOWN, verbose=verbose):
        yield f"{style.yellow('was gone on the host, and sent again')}: {line}"
    if plan.adopted:
        yield f"{files(plan.adopted)} {_were(plan.adopted)} there already with the same content"
    if done.left:
        which = ("stays", "it") if done.left == 1 else ("stay", "them")
        yield f"{files(done.left)} removed here {which[0]} on the host: no sync had put {which[1]} there"


def counts(plan: SyncPlan, left: int = 0) -> str:
    """Return ``3 files sent, 1 removed``, ``1 file removed``; of those to be removed, so many were left."""
    parts = [f"{files(plan.travelling)} sent"] if plan.travelling else []
    gone = len(plan.removed) - left
    parts += [f"{gone:,} removed" if parts else f"{files(gone)} removed"] * bool(gone)
    return ", ".join(parts) or "nothing had to be sent"


def path_shown(path: str) -> str:
    """Return a path on one line, its middle left out where it is very long: no host fills the terminal with one."""
    shown = one_line(path)
    half = (LONGEST - len(" ... ")) // 2
    return shown if len(shown) <= LONGEST else f"{shown[:half]} ... {shown[-half:]}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _foreseen(name: str, plan: SyncPlan, style: Style, *, verbose: bool) -> Iterator[str]:
    there = f"; {sized(plan.resumed)} are there from a sync that broke" if plan.resumed or plan.staged else ""
    parts = [f"{files(len(plan.sent))} to send ({sized(plan.bytes)}{there})"] if plan.sent else []
    gone = len(plan.removed) - len(plan.staying)
    parts += [f"{gone:,} to remove" if parts else f"{files(gone)} to remove"] * bool(gone)
    yield f"{name}: {', '.join(parts) or 'nothing to send'} -> {path_shown(plan.tree)}"
    if plan.owner:
        yield f"  {style.yellow('it is the tree of')} {one_line(plan.owner)}; --take-over makes it yours"
    for question in plan.questions:
        # What would be removed stands below.
        lines = (question.says,) if set(question.paths) <= set(plan.removed) else question.lines
        yield f"  {style.yellow('would ask first')}: {one_line(lines[0])}"
        yield from (f"  {one_line(line)}" for line in lines[1:])
    sent = set(plan.sent)
    above = [path_shown(one) for one in plan.standing if one not in sent]
    if above:
        text = "stands there where a folder must go, and no sync had put it there: it would be kept aside"
        yield f"  {style.yellow(text)}: {', '.join(_some(above, SHOWN, verbose=verbose))}"
    marks = dict.fromkeys(plan.kept, "changed on the host: its version would be kept aside")
    marks |= dict.fromkeys(plan.standing, "stands there, and no sync had put it there: it would be kept aside")
    marks |= dict.fromkeys(plan.staying, "stays there: no sync had put it there")
    for mark, paths in ((style.green("+"), plan.sent), (style.red("-"), plan.removed)):
        why = {one: style.yellow(f"  ({marks[one]})") for one in paths if one in marks}
        shown = [f"{mark} {path_shown(one)}{why.get(one, '')}" for one in paths]
        yield from (f"  {line}" for line in _some(shown, LISTED, verbose=verbose))
    if plan.adopted:
        yield f"  {files(plan.adopted)} {'is' if plan.adopted == 1 else 'are'} there already with the same content"


def _left_out(left_out: Sequence[tuple[str, str]], style: Style, *, verbose: bool) -> Iterator[str]:
    if left_out:
        yield f"left out here: {counted(len(left_out), 'path')}"
        shown = [f"{path_shown(path)}  {style.dim(f'({one_line(rule)})')}" for path, rule in left_out]
        yield from (f"  {line}" for line in _some(shown, LISTED, verbose=verbose))


def _some(lines: list[str], most: int, *, verbose: bool) -> list[str]:
    if verbose or len(lines) <= most:
        return lines
    return [*lines[:most], f"... and {len(lines) - most:,} more (-v shows all)"]
