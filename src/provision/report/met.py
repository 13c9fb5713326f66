"""At the end of a run, what was met is remembered on this machine; most runs have nothing to write."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provision.decode.surrogates import encodable
from provision.model.plan import Outcome, Severity
from provision.report.hidden import hidden_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from provision.model.plan import Finding
    from provision.report.entries import Entry, Met, Sighting
    from provision.report.fold import HostReport, Report

WELL = frozenset({Outcome.CONVERGED, Outcome.CHANGED})
"""Outcomes after which nothing is left to do."""
SHORTEST_PART = 6
"""Characters of a secret that a text was cut through; fewer tell nothing."""


def remember(
    report: Report, environ: Mapping[str, str], project: Callable[[], str], *, secrets: Iterable[str] = ()
) -> None:
    """Add what the run met, and what it saw solved, to the user's file; a failure of ours never becomes the run's.

    Args:
        report: The run, ended.
        environ: Where the state folder is found.
        project: Returns the project's name; called only where there is something to write.
        secrets: Texts that must not be written.
    """
    try:
        _remember(report, environ, project, secrets)
    except Exception:  # noqa: BLE001, S110 - the run is over and its exit code stands: this is a notebook, no more
        pass


def _remember(report: Report, environ: Mapping[str, str], project: Callable[[], str], secrets: Iterable[str]) -> None:
    hosts = [one for one in report.hosts.values() if one.finished]
    if not any(_anything(one, report) for one in hosts):
        if not any(one.outcome in WELL for one in hosts):
            return
        # Not through our own module, that reads and writes: in a good run this is all that is asked.
        from provision.report.log import logs_folder

        if not (logs_folder(environ).parent / "met.open").exists():
            return
    from provision.report.met_file import add

    name = project()
    hide = hiding(secrets)
    add(environ, lambda standing: list(new_entries(report, name, standing, hide)))


def new_entries(
    report: Report, project: str, standing: Sequence[Entry], hide: Callable[[str], str] = str
) -> Iterator[Entry]:
    """Yield what a run adds to the entries that are there: what each host met, and what is solved there."""
    from provision.report.entries import Solved, lines_of, sightings

    open_now = [one for one in sightings(standing) if one.solved is None and one.met.project == project]
    command = "plan" if report.foresees else report.command
    for host in report.hosts.values():
        if not host.finished:
            continue
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(host.ended))
        met = {one.code: one for one in _met(host, report, (at, project, host.name, command), hide)}
        yield from met.values()
        if host.outcome not in WELL:
            continue
        changed = [] if report.foresees else [hide(one.name) for one in host.changes]
        codes = [
            one.met.code
            for one in open_now
            if one.met.host == host.name and one.met.code not in met and _sees(one, command, changed)
        ]
        if codes:
            yield Solved(at, project, host.name, command, tuple(codes), lines_of(changed))


def hiding(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return what keeps these texts, and each long line of one that has several, out of a text.

    A part of one is kept out too where the text begins or ends with it: evidence is cut out of longer output.
    """
    ordered = hidden_texts(secrets)

    def hide(text: str) -> str:
        for secret in ordered:
            text = text.replace(secret, "***")
        for secret in ordered:
            for size in range(len(secret) - 1, SHORTEST_PART - 1, -1):
                if text.endswith(secret[:size]):
                    text = f"{text[:-size]}***"
                if text.startswith(secret[-size:]):
                    text = f"***{text[size:]}"
        return encodable(text)

    return hide


def _anything(host: HostReport, report: Report) -> bool:
    return bool(host.error is not None and host.error.known) or any(True for _ in _findings(host, report))


def _findings(host: HostReport, report: Report) -> Iterator[Finding]:
    # What a plan's steps will cure is not trouble yet; what is no trouble is not remembered.
    if not (report.foresees and host.outcome is Outcome.PENDING):
        yield from (one for one in host.findings if one.severity is not Severity.INFO)


def _met(
    host: HostReport, report: Report, head: tuple[str, str, str, str], hide: Callable[[str], str]
) -> Iterator[Met]:
    from provision.report.entries import FINDING, LONGEST_TEXT, PITFALL, Met, lines_of

    if host.error is not None:
        for one in host.error.known:
            shown = hide(one.evidence or host.error.message)[:LONGEST_TEXT]
            fix = lines_of([hide(line) for line in one.fix])
            yield Met(*head, PITFALL, one.id, Severity.ERROR.value, shown, hide(one.cause)[:LONGEST_TEXT], fix)
    alike: dict[str, list[Finding]] = {}
    for finding in _findings(host, report):
        alike.setdefault(finding.code, []).append(finding)
    for code, found in alike.items():
        worst = min(found, key=lambda one: one.severity is not Severity.ERROR)
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        shown = hide(worst.message)[: LONGEST_TEXT - len(more)] + more
        fix = lines_of([hide(worst.fix)]) if worst.fix else ()
        yield Met(*head, FINDING, code, worst.severity.value, shown, None, fix)


def _sees(one: Sighting, command: str, changed: list[str]) -> bool:
    """Whether a run that ends well would have met it again."""
    # `plan`, and `up` where nothing is to be done, check less than `verify`.
    return one.met.command != "verify" or command == "verify" or (command == "up" and bool(changed))
