"""Many hosts at once, one stream of events: one bad host never stops the others."""

from __future__ import annotations

import errno
import queue
import threading
import time
import traceback
from typing import TYPE_CHECKING, TypeAlias

from provision.errors import InterruptedRunError, ProvisionError, UnreachableError
from provision.events import Event, Failure, HostEvent, HostFinished, HostStarted
from provision.model.plan import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from provision.engine.stop import Stop
    from provision.events import Emit
    from provision.model.host import Host

BACKLOG = 10_000
"""Events on their way: a host that prints faster than we can show waits, so that memory stays flat."""
ABANDON = 15.0
"""Seconds that a host has to end its step once the run was asked to stop at once; a dead link may take minutes."""

Worker: TypeAlias = "Callable[[Host, Emit], tuple[Outcome, tuple[str, ...]]]"
"""Does the work for one host; returns the outcome and the names of steps that were not done."""

OUTCOMES = {
    "unfit": Outcome.UNFIT,
    "busy": Outcome.BUSY,
    "interrupted": Outcome.INTERRUPTED,
    "bug": Outcome.CRASHED,
}


def run_fleet(hosts: Sequence[Host], worker: Worker, stop: Stop, *, forks: int, fail_fast: bool) -> Iterator[HostEvent]:
    """Start `worker` on each host, at most `forks` at once, and return every event; each host's last is HostFinished.

    The workers are at work when this returns. A host's outcome is "crashed" until evidence replaces it: a worker that
    dies of an unforeseen error is told as such, and its host is never taken for done.
    """
    events: queue.Queue[HostEvent] = queue.Queue(BACKLOG)
    waiting: queue.SimpleQueue[Host] = queue.SimpleQueue()
    for host in hosts:
        waiting.put(host)

    def work() -> None:
        while True:
            try:
                host = waiting.get_nowait()
            except queue.Empty:
                return

            def emit(event: Event, name: str = host.name) -> None:
                events.put(HostEvent(name, time.time(), event))

            finished = _one(host, worker, emit, stop)
            if fail_fast and finished.outcome not in {Outcome.CONVERGED, Outcome.CHANGED, Outcome.PENDING}:
                stop.ask()
            emit(finished)

    threads = [
        threading.Thread(target=work, name=f"provision-worker-{number}", daemon=True)
        for number in range(min(forks, len(hosts)))
    ]
    for thread in threads:
        thread.start()
    return _until_all_finished(events, hosts, stop)


def _until_all_finished(events: queue.Queue[HostEvent], hosts: Sequence[Host], stop: Stop) -> Iterator[HostEvent]:
    left = {host.name: None for host in hosts}
    deadline: float | None = None
    while left:
        if stop.now:
            deadline = deadline or time.monotonic() + ABANDON
            if time.monotonic() > deadline:
                break
        try:
            # A time limit only so that a signal is handled promptly on every platform.
            event = events.get(timeout=0.5)
        except queue.Empty:
            continue
        if isinstance(event.event, HostFinished):
            left.pop(event.host)
        yield event
    for name in left:
        yield HostEvent(name, time.time(), _abandoned())


def _abandoned() -> HostFinished:
    return HostFinished(
        Outcome.INTERRUPTED,
        Failure(
            "interrupted",
            "stopped on request, without an answer from the host: its step may still run there",
            130,
            "run the same command again: it follows that step to its end",
        ),
    )


def _one(host: Host, worker: Worker, emit: Emit, stop: Stop) -> HostFinished:
    if stop.asked:
        return HostFinished(Outcome.SKIPPED, Failure("interrupted", "not begun: the run was stopped", 130))
    emit(HostStarted(host.target))
    try:
        outcome, left = worker(host, emit)
        return HostFinished(outcome, left=left)
    except ProvisionError as error:
        told: ProvisionError = error
        if stop.now and not isinstance(error, InterruptedRunError):
            told = InterruptedRunError("stopped on request", hint="run the same command again to go on")
        outcome = OUTCOMES.get(told.kind, Outcome.FAILED)
        if isinstance(told, UnreachableError) or told.kind == "link":
            outcome = Outcome.UNREACHABLE
        return HostFinished(
            outcome,
            Failure(told.kind, told.message, told.exit_code, told.hint, told.detail, error.known),
            left=error.left,
        )
    except OSError as error:
        if error.errno not in {errno.EMFILE, errno.ENFILE}:
            return _crashed(error)
        text = "this machine lets us open no more files"
        hint = "ulimit -n 4096, or fewer hosts at once: --forks 8"
        return HostFinished(Outcome.UNREACHABLE, Failure("network", text, 3, hint))
    except Exception as error:  # noqa: BLE001 - a bug in one host's work must not take the others down
        return _crashed(error)


def _crashed(error: Exception) -> HostFinished:
    return HostFinished(
        Outcome.CRASHED,
        Failure(
            "bug",
            f"{type(error).__name__}: {error}",
            1,
            "this is a bug of provision: please report it",
            traceback.format_exc(),
        ),
    )
