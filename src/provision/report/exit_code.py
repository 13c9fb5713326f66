"""The exit code of a run, from its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.model.plan import Outcome

if TYPE_CHECKING:
    from provision.report.fold import HostReport, Report

INTERRUPTED = 130
ORDER = (1, 2, 3, 4, 5, 6, 7)
CODES = {
    Outcome.CONVERGED: 0,
    Outcome.CHANGED: 0,
    Outcome.PENDING: 0,
    Outcome.UNFIT: 5,
    Outcome.FAILED: 4,
    Outcome.UNREACHABLE: 3,
    Outcome.BUSY: 6,
    Outcome.SKIPPED: INTERRUPTED,
    Outcome.INTERRUPTED: INTERRUPTED,
    Outcome.CRASHED: 1,
}


def exit_code(report: Report, *, pending_is_7: bool = False, fail_fast: bool = False) -> int:
    """Return the process's exit code: 130 first, then the first of 1 to 7 that any host has, else 0.

    With `fail_fast` a failure stops the other hosts; their 130 does not hide it, unless the user pressed Ctrl-C.
    """
    codes = {host_code(one, pending_is_7=pending_is_7) for one in report.hosts.values()}
    if INTERRUPTED in codes and (report.asked_to_stop or not fail_fast):
        return INTERRUPTED
    first = next((one for one in ORDER if one in codes), None)
    if first is not None:
        return first
    return max(codes, default=0)


def host_code(host: HostReport, *, pending_is_7: bool) -> int:
    """Return the code that the host alone would give."""
    if not host.finished:
        return CODES[Outcome.CRASHED]
    if host.error is not None:
        return host.error.exit_code
    if pending_is_7 and host.outcome is Outcome.PENDING:
        return 7
    return CODES[host.outcome]
