"""Bare hosts built from one lock, one alone and eight at once: by counts, as they share this machine's processors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from statistics import mean
from typing import TYPE_CHECKING

from bench.stage import wire_bytes
from bench.timing import CommandFailedError, Contestant, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.stage import Fleet, Stage

AT_ONCE = 8
_BEGAN = re.compile(r"(?P<at>\S+Z) (?P<host>\S+) step \d+/\d+ build ")
_ENDED = re.compile(r"(?P<at>\S+Z) (?P<host>\S+) step build .* done in ")
_STARTED = re.compile(r"(?P<at>\S+Z) (?P<host>\S+) started ")
_FINISHED = re.compile(r"(?P<at>\S+Z) (?P<host>\S+) finished: ")
_EXCHANGE = re.compile(r"\S+Z (?P<host>\S+) \$ ")


@dataclass(frozen=True, slots=True)
class Build:
    """What one `up` of bare hosts cost."""

    hosts: int
    solves: int
    """How often an index of a channel was read, here or there: nobody solves without one."""
    cpu: float
    """Seconds of our own processor time, of all hosts together."""
    sent: float
    """Bytes to each host, IP headers included."""
    received: float
    exchanges: float
    """Programs that were run on each host over the connection, each a round trip at least."""
    building: float
    """Seconds in which every host built its environment at the same time."""
    overlap: float
    """Seconds in which every host was at work at the same time."""
    longest: float
    """Seconds of the host that took longest."""


def builds(stage: Stage, tell: Callable[[str], None]) -> Iterator[Build]:
    """Lock once, then build one host from the lock, and eight at once."""
    tell("building the host that is locked")
    first = stage.fleet("locked", 1, 0)
    words = ("env", "lock", "--from", first.hosts[0].name, "-i", str(first.inventory))
    run(Contestant("provision env lock", (stage.ours.program("provision"), *words), stage.env, stage.laptop.project))
    for size in (1, AT_ONCE):
        tell(f"{size} bare host{'s' if size > 1 else ''} at once")
        with stage.apart(f"bare-{size}", size, 0, prepared=False) as fleet:
            yield _build(stage, fleet)


def _build(stage: Stage, fleet: Fleet) -> Build:
    size = len(fleet.hosts)
    before = wire_bytes(fleet.hosts)
    asked = _indexes(stage)
    argv = (stage.ours.program("provision"), "up", "all", "--frozen", "-i", str(fleet.inventory), "--forks", str(size))
    sample = run(Contestant("provision up", argv, stage.env, stage.laptop.project))
    after = wire_bytes(fleet.hosts)
    text = _newest_log(stage.laptop.home).read_text("utf-8")
    began, ended = moments(text, _BEGAN), moments(text, _ENDED)
    started, finished = moments(text, _STARTED), moments(text, _FINISHED)
    names = {one.name for one in fleet.hosts}
    if not names == began.keys() == ended.keys():
        raise CommandFailedError(f"not every host was built: {sorted(names - ended.keys())}")
    return Build(
        size,
        _indexes(stage) - asked,
        sample.cpu,
        (after[0] - before[0]) / size,
        (after[1] - before[1]) / size,
        mean(sum(found["host"] == name for found in _EXCHANGE.finditer(text)) for name in names),
        min(ended.values()) - max(began.values()),
        min(finished.values()) - max(started.values()),
        max(finished[name] - started[name] for name in names),
    )


def moments(log: str, what: re.Pattern[str]) -> dict[str, float]:
    """Return when each host's log has such a line first, in seconds since the epoch."""
    found: dict[str, float] = {}
    for one in what.finditer(log):
        at = datetime.strptime(one["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
        found.setdefault(one["host"], at.timestamp())
    return found


def _indexes(stage: Stage) -> int:
    return sum(count for path, count in stage.laptop.web.requests.items() if "repodata" in path)


def _newest_log(home: Path) -> Path:
    logs = sorted((home / ".local/state/provision/logs").glob("*-up-*.log"))
    if not logs:
        raise CommandFailedError("`up` left no log")
    return logs[-1]
