"""A step of an earlier, broken run may still be at work on a host: it is followed to its end before anything else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provision.errors import BusyError
from provision.events import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.stop import Stop
    from provision.events import Emit
    from provision.model.facts import Facts

LOOK_PAUSE = 2.0
MOST_FOLLOWED = 5
"""Steps of earlier runs: one is usual, and more mean that somebody goes on starting them."""
LEFTOVER_SECONDS = 60.0
"""Processes that a step started and left behind hold its lock: so long we wait for them."""


def settled(look: Callable[[], Facts], follow: Callable[[str], object], emit: Emit, stop: Stop) -> Facts:
    """Return facts that no step of an earlier run is still changing; `look` reads them, `follow` waits for a step.

    Raises:
        BusyError: a step ended, and what it started holds on to its lock; or one step comes after another.
    """
    facts = look()
    followed: str | None = None
    deadline = 0.0
    left = MOST_FOLLOWED
    while facts.step_lock.held:
        step = facts.step_lock.step
        if step is not None and step != followed:
            emit(Waiting("a step of an earlier run is still at work: following it to its end"))
            if not left:
                raise BusyError(
                    "the host names one running step after another: something else starts them",
                    hint="look for another provision there: `ps -ef | grep provision`",
                )
            left -= 1
            follow(step)
            followed, deadline = step, time.monotonic() + LEFTOVER_SECONDS
        elif not deadline:
            emit(Waiting("something holds the lock of steps there: at most a minute"))
            deadline = time.monotonic() + LEFTOVER_SECONDS
        elif time.monotonic() > deadline:
            raise BusyError(
                f"step {followed} has ended, but processes that it started still run and hold the host"
                if followed
                else "something holds the lock of steps on the host, and no step is known there",
                hint=f"`fuser -v {facts.state_dir}/step.lock` there names them; end them and run again",
            )
        else:
            stop.wait(LOOK_PAUSE)
        stop.between_steps()
        facts = look()
    return facts
