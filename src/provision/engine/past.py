"""What a sync knows of its earlier attempts at one host: what was agreed to, what arrived, how often the link broke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from provision.model.sync import SyncPlan


@dataclass
class Past:
    """What the attempts at one host have in common."""

    plan: SyncPlan | None = None
    """What the user was told, and agreed to."""
    arrived: tuple[int, int] | None = None
    """The most that was ever there of what is to come, to see whether it goes on at all: files, bytes of others."""
    losses: int = 0
    """Lost links in a row between which nothing more arrived."""
    losses_in_all: int = 0
    """Lost links between which less than a hundredth of the whole arrived."""
    had: Collection[bytes] | None = None
    """Paths that syncs had put there before this one; ``None``: the host did not tell yet."""
    wire_bytes: int = 0
    told_reading: bool = False
    """Whether the user knows that the project is still read."""
    told_recovering: bool = False
    """Whether the user knows that the host lost its list."""
    _begun: tuple[int, int] = (0, 0)
    """What was there before anything was sent."""
    _hundredths: tuple[int, int] = (0, 0)
    """What had arrived when the losses in all were last forgotten."""
    _sent: int = 0
    """Of `wire_bytes`, when the host last said what it has."""

    def judge(self, files: int, size: int) -> None:
        """Take what the host says it has: it counts as far as it can be, and where we sent something meanwhile."""
        sent, self._sent = self.wire_bytes > self._sent, self.wire_bytes
        if self.arrived is None:
            self.arrived = self._begun = files, size
        if self.plan is None or not sent:
            return
        most_files, most_size = len(self.plan.sent), self.plan.bytes
        files, size = min(files, self._begun[0] + most_files), min(size, self._begun[1] + most_size)
        if (files, size) > self.arrived:
            self.arrived, self.losses = (files, size), 0
        hundredths = (
            100 * (files - self._begun[0]) // max(1, most_files),
            100 * (size - self._begun[1]) // max(1, most_size),
        )
        if hundredths > self._hundredths:
            self._hundredths, self.losses_in_all = hundredths, 0
