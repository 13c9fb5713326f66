"""Launches a job on a host: once, however often the link is lost before the host's answer is here."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.engine.job_talk import JobRefusedError, Talk
from provision.errors import InterruptedRunError, LinkLostError, StepFailedError, UnreachableError
from provision.events import JobLaunched, LinkLost, Waiting
from provision.jobs.answers import job_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.engine.stop import Stop
    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.job import Job
    from provision.model.link import Link

PROGRAM = "launch_job.py"
SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
"""Seconds between two tries; they double."""
MOST_LOSSES = 8
"""Lost links in a row."""
SILENCE = 120.0
"""Seconds without a word of the host after which the conversation is begun anew."""


@dataclass(frozen=True, slots=True)
class Launched:
    """What the host said of a job that it took."""

    job: Job
    again: bool
    """An earlier try had launched it, and its answer was lost."""
    marker: Mapping[str, Any] | None
    """What the generation of its environment says of itself."""


class Launcher:
    """Launches the job that a request describes.

    Args:
        link: The host's.
        host: Where it is to run.
        request: The job; the id and the nonce in it make a second try the same job, which the host begins once.
    """

    def __init__(self, link: Link, host: Host, request: Mapping[str, Any]) -> None:
        self._link = link
        self._host = host.name
        self._state_dir = host.state_dir
        self._request = request
        self._env = host.env

    def run(self, emit: Emit, stop: Stop) -> Launched:
        """Return what the host says of the job, once it has taken it.

        Raises:
            StepFailedError: the host does not take it; nothing runs there.
            UnreachableError: the host does not answer any more; whether the job runs there is not known.
            InterruptedRunError: the user ended it.
        """
        losses = 0
        while True:
            try:
                launched = self._asked(emit, stop)
            except InterruptedRunError as error:
                job = self._request["id"]
                raise InterruptedRunError(
                    f"stopped while job {job} was being launched: it may run there",
                    hint=f"provision jobs    shows it; provision stop {job}",
                ) from error
            except JobRefusedError as error:
                if error.reason == "no-environment":
                    # Which host that is, only we know.
                    error.hint = f"provision up {self._host}    builds it; so does `provision run --up`"
                raise
            except LinkLostError as error:
                losses += 1
                emit(LinkLost(error.message))
                _take_up(self._link, losses, str(self._request["id"]), stop)
            else:
                emit(JobLaunched(launched.job, again=launched.again))
                return launched

    def _asked(self, emit: Emit, stop: Stop) -> Launched:
        heard = time.monotonic()
        with Talk(self._link, PROGRAM, self._state_dir, self._request, self._env, stop) as talk:
            while True:
                message = talk.next(1.0)
                if message is None:
                    if time.monotonic() - heard > SILENCE:
                        raise LinkLostError(f"the launcher has said nothing for {SILENCE:.0f} s")
                    continue
                heard = time.monotonic()
                kind, payload = message
                if kind == b"P":
                    emit(Waiting(_progress(payload)))
                elif kind == b"J":
                    return _launched(payload)
                else:
                    raise _misunderstood(f"a message of type {kind!r}")


def _launched(payload: bytes) -> Launched:
    try:
        value = json.loads(payload)
        marker = value.get("marker")
        return Launched(job_of(value), value.get("again") is True, marker if isinstance(marker, dict) else None)
    except (ValueError, AttributeError, RecursionError) as error:
        raise _misunderstood(str(error)) from error


def _progress(payload: bytes) -> str:
    try:
        value = json.loads(payload)
        files, total = int(value["files"]), int(value["total"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _misunderstood(str(error)) from error
    if not total:
        return "another sync holds the project there"
    return f"copying the project for the job: {files:,} of {total:,} files"


def _take_up(link: Link, losses: int, job: str, stop: Stop) -> None:
    hint = f"provision jobs    shows whether job {job} runs there: it is never started twice"
    stop.between_steps()
    if losses >= MOST_LOSSES:
        raise UnreachableError(f"the link was lost {losses} times in a row while a job was launched", hint=hint)
    if losses > 1:
        stop.wait(min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** (losses - 2)))
        stop.between_steps()
    try:
        link.reconnect()
    except UnreachableError as gone:
        if gone.kind != UnreachableError.kind:
            raise
        raise UnreachableError(
            f"the link was lost while a job was launched, and did not come back: {gone.message}", hint=hint
        ) from gone


def _misunderstood(what: str) -> StepFailedError:
    return StepFailedError(
        f"the host's launcher speaks in a way that is not understood: {what}",
        hint="is it the host that you mean? `provision jobs` shows what runs there",
    )
