"""The command `history`: what was run from this machine, and what changed on a host."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import TYPE_CHECKING

from provision.cli import options
from provision.decode import printable
from provision.decode.near import suggestion
from provision.errors import UsageError
from provision.ledger import reading
from provision.ledger.document import host_document, run_document, runs_document
from provision.ledger.shown import (
    FINDINGS,
    HAPPENED,
    HOSTS,
    RUNS,
    STEPS,
    finding_lines,
    happened_lines,
    host_lines,
    outcome,
    run_lines,
    show,
    step_lines,
    when,
)
from provision.ledger.store import open_ledger
from provision.report.display import one_line
from provision.report.duration import duration
from provision.report.stream import write

if TYPE_CHECKING:
    import argparse

    from provision.ledger.rows import HostState, Run
    from provision.ledger.store import Ledger

DESCRIPTION = """\
Show what was run from this machine: when, on which hosts, what came of it. With a host: what changed on it, by hand or
by a run: its driver, its system, its environments, findings that came and went. Everything is read from this machine's
ledger; no host is asked.
"""
EXAMPLES = """\
  provision history
  provision history gpu-box --since 7d
  provision history --command up --since 2026-11-01 --json
  provision history --run last               its hosts, steps and findings
"""
LIMIT = 20
_SPAN = re.compile(r"([0-9]{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MOMENTS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S")


def main(name: str, argv: list[str]) -> int:
    """Run `history`.

    Raises:
        UsageError: the ledger cannot be read, or has no such run.
    """
    asked = _parse(name, argv)
    ledger = open_ledger(os.environ, writing=False)
    try:
        if asked.run is not None:
            _one_run(asked, ledger)
        elif asked.host is not None:
            _host(asked, ledger)
        else:
            _runs(asked, ledger)
        _check(ledger)
    finally:
        ledger.close()
    return 0


def since(text: str, now: float | None = None) -> float:
    """Read a length of time until now (``7d``, ``12h``, ``2w``), or a moment here (``2026-11-01``).

    Raises:
        UsageError: it is neither.
    """
    found = _SPAN.fullmatch(text.lower())
    if found:
        return (time.time() if now is None else now) - int(found[1]) * _SECONDS[found[2]]
    for form in _MOMENTS:
        try:
            return time.mktime(time.strptime(text, form))
        except (ValueError, OverflowError):
            continue
    raise UsageError(f"--since '{printable(text[:30])}' is no time", hint="7d, 12h, 2026-11-01 or 2026-11-01T08:00")


def _runs(asked: argparse.Namespace, ledger: Ledger) -> None:
    newest = reading.runs(ledger, since=asked.since, command=asked.command, limit=asked.limit)
    found = newest[::-1]
    hosts = reading.hosts_of_all(ledger, found)
    _check(ledger)
    if asked.json:
        _say(json.dumps(runs_document(ledger, found, hosts), indent=2))
    elif found:
        show(RUNS, run_lines(found, hosts), sys.stdout, os.environ)
        if len(found) == asked.limit:
            _tell(f"the newest {asked.limit} runs: --limit shows more")
    elif asked.since is not None or asked.command is not None:
        _say("no such run")
    else:
        _say("nothing was run yet: the ledger of this machine is empty")


def _host(asked: argparse.Namespace, ledger: Ledger) -> None:
    from provision.ledger.happened import story

    told = story(ledger, asked.host)
    state = next((one for one in reading.states(ledger) if one.host == asked.host), None)
    found = [
        one
        for one in told.happened
        if (asked.since is None or one.at >= asked.since) and asked.command in {None, one.command}
    ][-asked.limit :]
    _check(ledger)
    if asked.json:
        _say(json.dumps(host_document(ledger, asked.host, state, told, found), indent=2))
        return
    if state is not None:
        _say(one_line(f"{asked.host}: {_state(state)}"))
    for one in told.open:
        _say(one_line(f"  {one.last.severity} {one.last.code} since {when(one.first.at)}: {one.last.title}"))
    if found:
        show(HAPPENED, happened_lines(found), sys.stdout, os.environ)
    elif told.happened:
        _say("nothing changed there in that time")
    elif state is None and not reading.runs(ledger, host=asked.host, limit=1):
        known = {one.host for one in reading.host_runs(ledger)}
        _say(f"no run from this machine was about '{one_line(asked.host)}'{one_line(suggestion(asked.host, known))}")
    else:
        _say("nothing changed there, as far as runs from this machine saw")


def _one_run(asked: argparse.Namespace, ledger: Ledger) -> None:
    found = reading.run_named(ledger, asked.run)
    _check(ledger)
    if not found:
        raise UsageError(f"there is no run '{printable(asked.run[:60])}'", hint="provision history")
    if len(found) > 1:
        raise UsageError(f"'{printable(asked.run[:60])}' means several runs", hint=found[0].id)
    run = found[0]
    hosts = [one for one in reading.hosts_of(ledger, run) if asked.host in {None, one.host}]
    steps = [one for one in reading.steps_of(ledger, run.id) if asked.host in {None, one.host}]
    findings = [one for one in reading.findings_of(ledger, run.id) if asked.host in {None, one.host}]
    _check(ledger)
    if asked.json:
        _say(json.dumps(run_document(ledger, run, hosts, steps, findings), indent=2))
        return
    _say(one_line(_run(run)))
    _say(one_line(f"  {outcome(run, hosts)}{_ended(run)}"))
    for head, lines in (
        (HOSTS, host_lines(hosts)),
        (STEPS, step_lines(steps)),
        (FINDINGS, finding_lines(findings)),
    ):
        if lines:
            _say("")
            show(head, lines, sys.stdout, os.environ)


def _run(run: Run) -> str:
    words = " ".join(("provision", run.command, *run.argv))
    by = f"by the schedule {run.schedule}" if run.schedule else f"by {run.user}"
    return f"{run.id}: {words} ({when(run.started)}, {by}, provision {run.version})"


def _ended(run: Run) -> str:
    if run.ended is None:
        return ": it still goes on, or was killed"
    return f", exit {run.exit_code}, after {duration(run.ended - run.started)}"


def _state(state: HostState) -> str:
    verdict = state.facts.get("verdict")
    judged = state.facts.get("verified_at")
    known = f"seen {when(state.at)}"
    if isinstance(verdict, str) and isinstance(judged, (int, float)):
        return f"{verdict} ({when(judged)}; {known})"
    return f"not judged yet ({known})"


def _check(ledger: Ledger) -> None:
    if ledger.problem is not None:
        raise UsageError(ledger.problem, hint="move that file away: the next run begins a new one")


def _say(text: str) -> None:
    write(sys.stdout, f"{text}\n")


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("host", nargs="?", metavar="HOST", help="what changed on this host; none: every run")
    words.add_argument("--since", type=since, metavar="TIME", help="7d, 12h, 2w, 2026-11-01 or 2026-11-01T08:00")
    words.add_argument("--command", metavar="NAME", help="only runs of this command: up, env, 'env lock'")
    words.add_argument("--limit", type=_limit, default=LIMIT, metavar="N", help=f"the newest ones (default {LIMIT})")
    words.add_argument("--run", metavar="ID", help="one run, as it is named in the table, or `last`")
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) >= 1 and len(text) < 9):  # noqa: PLR2004 - digits
        raise UsageError(f"'{printable(text[:20])}' is no number of runs", hint="--limit 50")
    return int(text)
