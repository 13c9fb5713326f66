"""What a run came to, read off the document that it printed: outcomes, notices, and hosts that keep failing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.cli.schedule_notices import Told
from provision.report.amounts import counted
from provision.schedule.backoff import Failing, failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provision.cli.schedule_store import Past
    from provision.schedule.record import Schedule

NO_FAILURE = frozenset({"converged", "changed", "pending", "skipped", "busy", "interrupted"})
DRIFT = frozenset({"ENV-DRIFT", "SYSTEM-DRIFT", "REBOOT-PENDING", "NOT-CONVERGED"})
_BY_HAND = "by hand"
"""Stands in the reason of each step that repairs what somebody changed there."""
DRIFTED = 7
_NOT_SEEN = frozenset({"stopped", "busy", "skipped", "interrupted"})
"""Nothing was learned of such a host."""


@dataclass(frozen=True, slots=True)
class Result:
    """A run's outcome in one word and one line, and what is to be remembered and told."""

    outcome: str
    text: str
    exit_code: int
    failing: dict[str, Failing] = field(default_factory=dict)
    drifting: tuple[str, ...] = ()
    notices: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Printed:
    """What the command said, and which hosts it was not told of."""

    hosts: Mapping[str, Any]
    """Each host's part of the document."""
    code: int
    left: Mapping[str, str] = field(default_factory=dict)
    """Hosts that were left alone, and why."""


def result(schedule: Schedule, past: Past, printed: Printed, now: float) -> Result:
    """Return what a run came to that ended now, with what was remembered before it."""
    left = printed.left
    failing = {host: one for host, one in past.failing.items() if host in left}
    drifting = [host for host in past.drifting if host in left]
    notices: list[Told] = []
    words: list[str] = []
    for host, one in printed.hosts.items():
        word, text = _word(one)
        key = f"{schedule.name}/{host}/{int(now)}"
        before = past.failing.get(host)
        after, told = _health(host, word, text, before, key, now)
        failing.update({host: after} if after is not None else {})
        notices += told
        if word in _NOT_SEEN:
            drifting += [host] if host in past.drifting else []
        else:
            drift = _drift(one)
            if drift and word in {"converged", "pending"}:
                word = "drift"
            drifting += [host] if drift and word != "changed" else []
            if drift and (word == "changed" or host not in past.drifting):
                text = f"{'repaired: ' if word == 'changed' else ''}{'; '.join(drift[:3])}"
                notices.append(Told("drift", host, text, f"drift/{key}"))
        words.append(word)
    words += left.values()
    text = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words)) or "no host"
    outcome, code = _overall(words, printed.code)
    return Result(outcome, text, code, failing, tuple(dict.fromkeys(drifting)), tuple(notices))


def _overall(words: list[str], code: int) -> tuple[str, int]:
    if "interrupted" in words:
        return "interrupted", 130
    if "failed" in words:
        return "failed", code or 4
    return ("drift", DRIFTED) if "drift" in words else ("ok", 0)


def _health(  # noqa: PLR0917 - all of them are one host
    host: str, word: str, text: str, before: Failing | None, key: str, now: float
) -> tuple[Failing | None, list[Told]]:
    if word == "failed":
        return failed(before, now), [Told("failure", host, text, f"failure/{key}")] if before is None else []
    if before is None or word in _NOT_SEEN:
        return before, []
    since = counted(before.times, "run")
    return None, [Told("recovery", host, f"works again, after {since} that failed", f"recovery/{key}")]


def without_document(schedule: Schedule, past: Past, code: int, why: str, now: float) -> Result:
    """Return what a run came to that printed none: a file cannot be taken, or it was ended."""
    outcome = "interrupted" if code in {130, -2, -15} else "failed"
    told = past.outcome == "failed" or outcome != "failed"
    notice = Told("failure", None, why, f"failure/{schedule.name}/{int(now)}")
    return Result(outcome, why, abs(code) or 1, dict(past.failing), past.drifting, () if told else (notice,))


def _word(host: Mapping[str, Any]) -> tuple[str, str]:
    error = host.get("error") or {}
    outcome = str(host.get("outcome", "failed"))
    if error.get("kind") == "stopped":
        return "stopped", ""
    if outcome in NO_FAILURE:
        return outcome, ""
    return "failed", str(error.get("message") or host.get("verdict") or outcome)


def _drift(host: Mapping[str, Any]) -> list[str]:
    found = [str(one.get("message")) for one in _plain(host.get("findings")) if one.get("code") in DRIFT]
    return found + [
        str(one["reason"])
        for one in _plain(host.get("steps"))
        if _BY_HAND in str(one.get("reason")) and "reason" in one
    ]


def _plain(things: object) -> Iterable[Mapping[str, Any]]:
    return [one for one in things if isinstance(one, dict)] if isinstance(things, list) else []
