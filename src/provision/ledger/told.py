"""The report of a run as rows: what a run came to on each host, its steps, and what was found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.ledger.compared import VERDICT, changed_facts, seen_generations
from provision.ledger.rows import (
    FactChanged,
    FindingSeen,
    GenerationSeen,
    HostRun,
    HostState,
    Row,
    StepRun,
)
from provision.ledger.summary import summary
from provision.model.plan import Outcome
from provision.report.verdict import verdict_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.ledger.store import Ledger
    from provision.report.fold import HostReport, Report

LONGEST = 600
"""Characters of one text; a host may send millions."""
UNKNOWN = "unknown"
WELL = frozenset({Outcome.CONVERGED, Outcome.CHANGED})
_JUDGING = frozenset({"up", "plan", "verify"})
DRIFT = frozenset({"ENV-DRIFT", "SYSTEM-DRIFT", "REBOOT-PENDING", "NOT-CONVERGED"})
"""Codes that tell of drift."""
_NOBODY_KNOWS = frozenset({"exec", "pull"})
"""Commands whose `changed` is about something else than the host: what was pulled, or a command that did not fail."""
_LOOKED = WELL | {Outcome.PENDING, Outcome.UNFIT}
"""How a run ends that has looked at everything; `pending` is what drift makes of it."""
_MENDED = frozenset({"ENV-DRIFT", "NOT-CONVERGED"})
"""Drift that is none any more after an `up` that ended well."""
_VARYING = re.compile(r"\s*\b(?:\d+-[0-9a-f]{8}|v?\d+(?:\.\d+)+\S*|\d+)(?=\s|$)")


class Told:
    """One report, and what it says in rows."""

    def __init__(self, run: str, report: Report, *, looked_for_drift: bool, hide: Callable[[str], str]) -> None:
        self._run = run
        self._report = report
        self._drift = looked_for_drift
        self._hide = hide

    def rows(self, first_step: int = 1) -> Iterator[Row]:
        """Yield the rows that need nothing of what was before; steps are counted from `first_step`."""
        for host in self._report.hosts.values():
            if host.started is None:
                continue
            yield self._host(host)
            yield from self._steps(host, first_step)
            if host.finished:
                yield from self._findings(host)

    def compared(self, ledger: Ledger) -> Iterator[Row]:
        """Yield what changed on the hosts since the ledger saw them last, and what they are now."""
        for host in self._report.hosts.values():
            if host.facts is None or host.ended is None:
                continue
            known = ledger.rows(HostState, "WHERE host = ?", (self._name(host),))
            yield from self._compare(host, known[0] if known else None, ledger)

    def _compare(self, host: HostReport, known: HostState | None, ledger: Ledger) -> Iterator[Row]:
        facts, at, name = host.facts, host.ended, self._name(host)
        assert facts is not None  # noqa: S101 - looked at by the caller
        assert at is not None  # noqa: S101 - the same
        before = known.facts if known is not None else {}
        after: dict[str, object] = {
            key: self._text(one) if isinstance(one, str) else one
            for key, one in summary(host.target, facts, host.asked).items()
        }
        verdict = self._verdict(host)
        judged = verdict is not None and not self._report.foresees
        after[VERDICT] = self._text(verdict) if judged and verdict else before.get(VERDICT)
        after["verified_at"] = at if judged else before.get("verified_at")
        after["drift"] = self._drift_now(host, before.get("drift"))
        seen = ledger.rows(GenerationSeen, "WHERE host = ? ORDER BY at, rowid", (name,))
        changed: list[FactChanged] = [] if known is None else list(changed_facts(self._run, name, at, before, after))
        yield from changed
        yield from seen_generations(self._run, name, at, seen, facts.environments)
        yield HostState(name, at, self._run, after)

    def _drift_now(self, host: HostReport, before: object) -> object:
        if self._drift and host.finished and host.outcome in _LOOKED:
            return sorted({one.code for one in host.findings if one.code in DRIFT})
        if not isinstance(before, list) or self._report.foresees or self._report.command != "up":
            return before
        if host.outcome not in WELL:
            return before
        mended = _MENDED | ({"SYSTEM-DRIFT"} if host.changes else set())
        return [one for one in before if one not in mended]

    def _host(self, host: HostReport) -> HostRun:
        synced = host.synced is not None and not host.synced.up_to_date
        whether = not self._report.foresees and self._report.command not in _NOBODY_KNOWS
        changed = whether and (bool(host.changes) or synced or host.outcome is Outcome.CHANGED)
        verdict = self._verdict(host)
        return HostRun(
            run=self._run,
            host=self._name(host),
            target=self._text(host.target),
            started=host.started or 0.0,
            ended=host.ended if host.finished else None,
            outcome=host.outcome.value if host.finished else UNKNOWN,
            error=self._text(host.error.message) if host.error is not None else None,
            verdict=self._text(verdict) if verdict is not None else None,
            changed=changed,
        )

    def _steps(self, host: HostReport, first: int) -> Iterator[StepRun]:
        name = self._name(host)
        if self._report.foresees and not host.steps:
            for number, step in enumerate(host.planned or (), first):
                title = self._text(step.name)
                reason = self._text(step.reason)
                yield StepRun(
                    self._run, name, number, task_of(title), title, host.started or 0.0, None, "pending", reason
                )
            return
        for number, one in enumerate(host.steps, first):
            title = self._text(one.step.name)
            outcome = "unfinished" if one.seconds is None else "done" if one.ok else "failed"
            reason = self._text(one.step.reason)
            yield StepRun(self._run, name, number, task_of(title), title, one.started, one.seconds, outcome, reason)

    def _findings(self, host: HostReport) -> Iterator[FindingSeen]:
        name, at = self._name(host), host.ended or 0.0
        for one in host.findings:
            fix = self._text(one.fix) if one.fix else None
            yield FindingSeen(
                self._run, name, at, one.code, one.severity.value, self._text(one.message), fix, _subject(one.message)
            )

    def _verdict(self, host: HostReport) -> str | None:
        """Return what the run thinks of a host; those that only ask it something think nothing."""
        return verdict_line(host) if self._report.command in _JUDGING else None

    def _name(self, host: HostReport) -> str:
        return host.name.encode("utf-8", "backslashreplace").decode("utf-8")

    def _text(self, text: str) -> str:
        # Cut before secrets are looked for, which takes time for each character, and again behind it.
        return self._hide(text[: 4 * LONGEST])[:LONGEST]


def task_of(title: str) -> str:
    """Return a step's title without generations, versions and numbers, which differ from run to run."""
    return _VARYING.sub("", title).strip() or title


def _subject(message: str) -> str | None:
    """Return the environment or card that stands in front of a colon: ``mymodel 1-3f2a91bc``, ``GPU 3``."""
    head, colon, _ = message.partition(": ")
    return head[:80] if colon and len(head.split()) <= 3 else None  # noqa: PLR2004 - a name, not a sentence
