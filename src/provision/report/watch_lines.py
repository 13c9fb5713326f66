"""What `sync --watch` says: one line for each sync, each link that is lost, and each thing that stands in the way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provision.events import LinkLost, Note, Synced, Waiting
from provision.report.display import one_line, without_name
from provision.report.duration import duration
from provision.report.link_text import link_lost
from provision.report.sync_lines import below, counts, path_shown
from provision.sync.sizes import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.events import HostEvent
    from provision.model.sync import SyncPlan
    from provision.report.fold import HostReport
    from provision.report.style import Style

_BELOW = " " * 9
"""As wide as the time of day."""


class WatchLines:
    """Turns the events of watched hosts into lines, each with the time of day."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._lost: set[str] = set()
        self._begun: set[str] = set()

    def lines(self, told: HostEvent, host: HostReport) -> Iterator[str]:
        """Yield the lines for one event, which the report has taken already."""
        head = f"{time.strftime('%H:%M:%S', time.localtime(told.at))} {self._style.bold(one_line(host.name))}: "
        match told.event:
            case Synced(result=result):
                more = list(below(result, self._style))
                # An editor writes a file more often than it changes it: that nothing was to be sent is no news.
                news = not result.up_to_date or more or host.name in self._lost or host.name not in self._begun
                self._lost.discard(host.name)
                self._begun.add(host.name)
                if news:
                    yield head + self._synced(told.at, host)
                    yield from (f"{_BELOW}{line}" for line in more)
            case LinkLost(reason=reason):
                # It is tried again and again: once is enough to know.
                if host.name not in self._lost:
                    self._lost.add(host.name)
                    yield head + self._style.yellow(link_lost(reason))
            case Note(text=text, lines=more):
                yield head + one_line(without_name(text, host.name))
                yield from (f"{_BELOW}{one_line(line)}" for line in more)
            case Waiting(reason=reason):
                yield head + self._style.dim(f"waiting: {one_line(reason)}")
            case _:
                pass

    def _synced(self, at: float, host: HostReport) -> str:
        done = host.synced
        if done is None or done.up_to_date:
            count = f" ({files(done.plan.files)})" if done is not None else ""
            return f"{self._style.green('up to date')}{count}"
        took = duration(at - (host.began or at))
        return f"{self._style.green(_what(done.plan))} ({took})"


def _what(plan: SyncPlan) -> str:
    """Return ``train.py sent``, ``3 files sent, 1 removed``."""
    if len(plan.sent) + len(plan.removed) == 1:
        return f"{path_shown(plan.sent[0])} sent" if plan.sent else f"{path_shown(plan.removed[0])} removed"
    return counts(plan)
