"""A job as its host tells of it, as a row."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provision.ledger.rows import UNKNOWN_GPU, JobSeen

if TYPE_CHECKING:
    from provision.model.job import JobRecord, JobState


def seen(host: str, record: JobRecord, state: JobState) -> JobSeen:
    """Return the row of a job: which of the host's GPUs it has is not known by their names alone."""
    return JobSeen(
        host=host,
        id=record.id,
        name=record.name,
        state=state.state,
        exit_code=state.exit_code,
        started=state.started,
        ended=state.ended,
        at=time.time(),
        gpus=tuple(UNKNOWN_GPU for _ in state.gpus),
    )
