"""The right to change a host: taken before anything is changed, lost with the link, taken again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provision.engine.perform import TRIES
from provision.errors import BusyError, LinkLostError, StepFailedError
from provision.events import LinkLost, Waiting
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.stop import Stop
    from provision.events import Emit
    from provision.model.link import Lease, Link

ASK_PAUSE = 2.0
"""Seconds between two questions whether the host is free."""
REGAIN_SECONDS = catalogue.LEASE_SILENCE + 15
"""So long our own lease of a broken link may live on."""


class Hold:
    """One run's hold of one host."""

    def __init__(self, link: Callable[[], Link], emit: Emit, stop: Stop, *, holder: str, wait: bool) -> None:
        self._link = link
        self._emit = emit
        self._stop = stop
        self._holder = holder
        self._wait = wait
        self._state_dir = ""
        self._lease: Lease | None = None
        self._others_came = False

    def take(self, state_dir: str) -> None:
        """Hold the host that has this state folder; wait for another run where the user said so.

        Raises:
            BusyError: another run holds it.
            StepFailedError: nobody can hold it.
        """
        self._state_dir = state_dir
        told: str | None = None
        losses = 0
        ours_until = time.monotonic() + REGAIN_SECONDS
        while True:
            try:
                self._lease, holder = self._ask()
            except LinkLostError as error:
                losses += 1
                if losses > TRIES:
                    raise
                self._emit(LinkLost(error.message))
                self._stop.between_steps()
                self._link().reconnect()
                continue
            if self._lease is not None:
                return
            # After a lost link it may be our own lease of a moment ago: it ends itself.
            ours = holder == self._holder and time.monotonic() < ours_until
            if not self._wait and not ours:
                raise BusyError(f"held by {holder or 'another run'}", hint="wait for it, or use --wait")
            if holder != told:
                self._emit(Waiting(f"held by {holder or 'another run'}"))
                told = holder
            self._stop.wait(ASK_PAUSE)
            self._stop.between_steps()

    def regain(self) -> None:
        """Hold the host again after a lost link, where it was held: our own old lease may live on for a minute.

        Raises:
            BusyError: another run holds it now.
        """
        if self._lease is None:
            return
        deadline = time.monotonic() + REGAIN_SECONDS
        told = False
        while True:
            try:
                lease, holder = self._ask()
            except LinkLostError:
                self._stop.during_step()
                if time.monotonic() > deadline:
                    raise
                self._link().reconnect()
                continue
            if lease is not None:
                self._lease = lease
                # Where another run held the host in between, our plan may be of yesterday.
                self._others_came = self._others_came or holder != "again"
                return
            if holder != self._holder or time.monotonic() > deadline:
                raise BusyError(
                    f"while this run was cut off, the host was taken by {holder or 'another run'}",
                    hint="run it again; --wait waits for the other one",
                )
            if not told:
                self._emit(Waiting("the host still counts the lost connection as its holder: at most a minute"))
                told = True
            self._stop.pause(ASK_PAUSE)
            self._stop.during_step()

    def looks_anew(self) -> None:
        """Note that the host is looked at again: what another run did before is seen."""
        self._others_came = False

    def still_ours(self) -> bool:
        """Hold the host again if we lost it; return whether no other run held it since it was looked at."""
        if self._lease is not None and not self._lease.held:
            self.regain()
        return not self._others_came

    def release(self) -> None:
        """Give the host free, whatever became of the link."""
        lease, self._lease = self._lease, None
        try:
            if lease is not None:
                lease.release()
        except OSError:
            pass

    def _ask(self) -> tuple[Lease | None, str]:
        lease, holder = self._link().hold(catalogue.lease(self._state_dir, self._holder))
        if lease is None and holder.startswith("nobody"):
            raise StepFailedError(
                f"{self._state_dir}: {holder.removeprefix('nobody: ')}",
                hint="is the disk full, the folder not ours, or util-linux missing? "
                "`state_dir:` in hosts.yaml names another folder",
            )
        return lease, holder
