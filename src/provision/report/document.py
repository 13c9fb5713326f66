"""The report as the JSON document that scripts read; its fields are described by ``schemas/output.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.decode.surrogates import encodable
from provision.report.amounts import is_change
from provision.report.exit_code import exit_code
from provision.report.pages import why
from provision.report.sync_document import questions, sync_fields
from provision.report.verdict import verdict_line

if TYPE_CHECKING:
    from provision.model.plan import Finding
    from provision.report.fold import HostReport, Report

SYNCING = frozenset({"sync", "run"})
"""Commands that sync the project."""
SCHEMA_VERSION = 1
"""Within a version fields are only ever added."""


def document(
    report: Report, command: str | None = None, *, pending_is_7: bool = False, fail_fast: bool = False
) -> dict[str, Any]:
    """Return the document as plain values for `json.dumps`; `command` is the one that the user typed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command or report.command,
        "exit_code": exit_code(report, pending_is_7=pending_is_7, fail_fast=fail_fast),
        **({"notes": [encodable(one) for one in report.notes]} if report.command in SYNCING else {}),
        "hosts": {encodable(one.name): _host(one, report) for one in report.hosts.values()},
    }


def _host(host: HostReport, report: Report) -> dict[str, Any]:
    foresees = report.foresees
    return {
        "outcome": host.outcome.value,
        "verdict": _optional(verdict_line(host)),
        "steps": _foreseen(host) if foresees else _done(host),
        "findings": [_finding(one) for one in host.findings],
        "facts": _facts(host),
        "error": None
        if host.error is None
        else {
            "kind": host.error.kind,
            "message": encodable(host.error.message),
            "hint": _optional(host.error.hint),
            "known": [{"id": one.id, "cause": encodable(one.cause), "fix": list(one.fix)} for one in host.error.known],
            **({"questions": questions(host.refused)} if host.refused else {}),
        },
        **(sync_fields(host, report) if report.command in SYNCING else {}),
    }


def _done(host: HostReport) -> list[dict[str, Any]]:
    return [
        {
            "name": encodable(one.step.name),
            "reason": encodable(one.step.reason),
            # What failed half-way may have changed something: the host is probed again to know.
            "changed": one.step.changed,
            "seconds": None if one.seconds is None else round(one.seconds, 3),
        }
        for one in host.steps
    ]


def _foreseen(host: HostReport) -> list[dict[str, Any]]:
    return [
        {"name": encodable(one.name), "reason": encodable(one.reason), "changed": is_change(one), "seconds": None}
        for one in host.planned or ()
    ]


def _facts(host: HostReport) -> dict[str, Any] | None:
    if host.facts is None:
        return None
    from provision.facts import to_json

    return to_json(host.facts)


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "code": one.code,
        "severity": one.severity.value,
        "message": encodable(one.message),
        "why": why(one.code),
        "fix": _optional(one.fix),
    }


def _optional(text: str | None) -> str | None:
    return None if text is None else encodable(text)
