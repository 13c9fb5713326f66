"""How a job ended, as an exit code and in words."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.model.job import JobState

LOST = 4
"""The exit code where a job is lost: what it would have been is not known."""
STOPPED = 128 + signal.SIGTERM
"""The exit code of a job that was stopped, however its command took that."""


def exit_code(state: JobState) -> int:
    """Return the exit code of a command that followed a job to its end: the job's, or 128 and its signal."""
    if state.state == "stopped":
        return STOPPED
    if state.state == "exited" and state.exit_code is not None:
        return state.exit_code
    if state.state == "exited" and state.signal is not None:
        return 128 + number_of(state.signal)
    return LOST


def number_of(name: str) -> int:
    """Return the number of a signal by its name (``KILL``, or ``34`` where it has none); 0 where there is none."""
    if name.isascii() and name.isdigit():
        return int(name) if int(name) < 128 else 0  # noqa: PLR2004 - no signal has a larger number
    found = getattr(signal, f"SIG{name}", None)
    return int(found) if isinstance(found, signal.Signals) else 0


def how_it_ended(state: JobState) -> str:
    """Return ``ended well``, ``failed with exit code 3``, ``was stopped``, ``is lost: the host was restarted``."""
    if state.state == "lost":
        return f"is lost: {state.message or state.reason or 'nobody knows why'}"
    if state.state == "stopped":
        return "was stopped: its time was over" if state.reason == "max-time" else "was stopped"
    if state.state in {"queued", "running"}:
        return f"is {state.state}"
    if state.reason == "not-started":
        return f"could not be started: {state.message or 'nobody knows why'}"
    if state.signal is not None:
        why = ": the host ran out of memory" if state.reason == "oom" else ""
        return f"was ended by SIG{state.signal}{why}"
    return "ended well" if state.exit_code == 0 else f"failed with exit code {state.exit_code}"
