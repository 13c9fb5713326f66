"""The fleet as the JSON document that the page's script reads: every text of a host is safe to show."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from provision.page.explained import explained
from provision.page.fleet import LIVE_JOB
from provision.page.words import words
from provision.report.display import one_line
from provision.report.pages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provision.page.fleet import Fleet, HostNow, RunSeen, StepTime
    from provision.page.plots import Plot

MOST = 2000
"""Runs, events, jobs and findings that the page holds of each kind: the newest."""
MOST_OUTCOMES = 6000
"""Hosts of all runs together: some twenty nights of 300 hosts."""
LONGEST = 2000
"""Characters of one text."""


def document(fleet: Fleet, plots: Sequence[Plot] = ()) -> dict[str, Any]:
    """Return what the page shows."""
    runs = _newest(fleet.runs)
    several = (fleet.events, fleet.jobs, fleet.findings)
    return {
        "at": fleet.at,
        "project": _safe(fleet.project),
        "problem": _safe(fleet.problem),
        "left_off": len(runs) < len(fleet.runs) or any(len(one) > MOST for one in several),
        "hosts": [_host(fleet, one) for one in fleet.hosts],
        "runs": _plain(runs),
        "events": _plain(fleet.events[:MOST]),
        "jobs": _plain(fleet.jobs[:MOST]),
        "findings": _plain(fleet.findings[:MOST]),
        "steps": {host: _plain(steps) for host, steps in last_steps(fleet.steps).items()},
        "plots": [{"key": one.key, "host": one.host, "head": one.head, "rows": one.rows} for one in plots],
        "drawn": any(one.svg for one in plots),
        "words": {language: words(language) for language in LANGUAGES},
        "explained": explained(one.code for one in fleet.findings[:MOST]),
    }


def script_json(value: object) -> str:
    """Return JSON that no HTML parser and no script sees anything in but data."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def last_steps(steps: Iterable[StepTime]) -> dict[str, list[StepTime]]:
    """Return the steps of each host's last run that had any, by host."""
    found: dict[str, list[StepTime]] = {}
    newest: dict[str, tuple[float, str]] = {}
    for one in steps:
        if (one.at, one.run) > newest.get(one.host, (float("-inf"), "")):
            newest[one.host] = (one.at, one.run)
    for one in steps:
        if one.run == newest[one.host][1]:
            found.setdefault(_safe(one.host), []).append(one)
    return found


def _newest(runs: Sequence[RunSeen]) -> Sequence[RunSeen]:
    """Return as many runs as have room: each counts as often as it has hosts."""
    left = MOST_OUTCOMES
    for at, one in enumerate(runs[:MOST]):
        left -= max(1, len(one.hosts))
        # The last run of a fleet of any size is shown.
        if left < 0 and at:
            return runs[:at]
    return runs[:MOST]


def _host(fleet: Fleet, host: HostNow) -> dict[str, Any]:
    mine = [one for one in fleet.jobs if one.host == host.name]
    shown: dict[str, Any] = _plain(asdict(host))
    shown["word"] = host.word
    shown["jobs"] = sum(one.state in LIVE_JOB for one in mine)
    return shown


def _plain(value: Any) -> Any:
    """Return a value of JSON in which every text is one line, cut where it is endless."""
    if isinstance(value, str):
        return _safe(value)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    if isinstance(value, float) and not -1e15 < value < 1e15:  # noqa: PLR2004 - JSON has no infinity, no date is beyond
        return None
    return value


def _safe(text: Any) -> Any:
    return None if text is None else one_line(text[:LONGEST])
