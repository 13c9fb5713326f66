"""Carrying out a solution: fetch, extract, verify, link, remember; and the state each interruption leaves."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import cache, link, prefix
from .dist import Dist, sorted_by_need
from .errors import SignalReceivedError, StandinError, out_of_space
from .solve import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from .session import Session


@dataclass(frozen=True)
class Change:
    """What to do to one prefix: packages to add, records to remove, and the specs behind them."""

    target: Path
    add: list[Dist]
    remove: list[dict[str, Any]]
    specs: list[str]
    action: str = "update"


def between(target: Path, wanted: list[Dist], specs: list[str], action: str = "update") -> Change:
    """Return the change from what is installed to exactly what is wanted."""
    there = {link.stem(record): record for record in prefix.records(target)}
    stems = {dist.stem for dist in wanted}
    add = [dist for dist in wanted if dist.stem not in there]
    return Change(target, add, [there[stem] for stem in there if stem not in stems], specs, action)


def carry_out(session: Session, change: Change) -> None:
    """Do it all, with progress lines; SIGINT and SIGTERM undo what was linked, SIGKILL and SIGHUP do not."""
    store = cache.folder(session.settings)
    with _signals():
        places = _fetch(session, change, store)
        session.say("Preparing transaction: ...working... done")
        for dist, place in places.items():
            cache.verify(dist, place)
        session.say("Verifying transaction: ...working... done")
        session.say("Executing transaction: ...working...")
        _execute(session, change, places)
    session.say("Executing transaction: done")


def _fetch(session: Session, change: Change, store: Path) -> dict[Dist, Path]:
    places: dict[Dist, Path] = {}
    session.say("\nDownloading and Extracting Packages:")
    for number, dist in enumerate(sorted_by_need(change.add), 1):
        try:
            session.faults.at(f"download:{number}")
            cache.download(dist, store, session.faults, offline=session.settings.offline)
            places[dist] = cache.extract(dist, store, session.faults, number)
        except SignalReceivedError:
            cache.discard(dist, store)
            raise
        megabytes = int(dist.record.get("size", 0)) / 1e6
        session.say(f"{dist.name}-{dist.version} | {megabytes:.1f} MB | ########## | 100%")
    return places


def _execute(session: Session, change: Change, places: dict[Dist, Path]) -> None:
    target, fresh = change.target, not change.target.exists()
    wanted = {name_of(spec): spec for spec in change.specs}
    linker = link.Linker(target, _site_packages(target, places))
    try:
        (target / "conda-meta").mkdir(parents=True, exist_ok=True)
        (target / ".condatmp").mkdir(exist_ok=True)
        for record in change.remove:
            link.unlink(target, record)
        for number, (dist, place) in enumerate(places.items(), 1):
            files = linker.link(dist, place)
            if session.faults.at(f"link:{number}") or session.faults.fails("enospc-link"):
                _fill_up()
            linker.record(dist, place, files, wanted.get(dist.name))
        session.faults.at("before-history")
        if not (target / ".condatmp").is_dir():
            _lost(target)
    except SignalReceivedError:
        _roll_back(linker, fresh=fresh)
        raise
    except OSError as error:
        _roll_back(linker, fresh=fresh)
        if error.errno == errno.ENOSPC:
            where = "corrupted" if session.faults.fails("enospc-corrupted") else "link"
            raise out_of_space(where, error.filename or str(target)) from None
        raise StandinError("LinkError", f"{error}") from None
    _remember(session, change)
    shutil.rmtree(target / ".condatmp", ignore_errors=True)
    session.faults.at("after-history")


def _lost(target: Path) -> None:
    # another run on this prefix has finished meanwhile; undoing ours breaks what it made
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target / ".condatmp"))


def _fill_up() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _remember(session: Session, change: Change) -> None:
    added = [f"{dist.channel}/{dist.subdir}::{dist.stem}" for dist in change.add]
    prefix.remember(
        change.target,
        command=" ".join(sys.argv),
        version=session.settings.emulates,
        added=added,
        removed=[f"{record['channel']}::{link.stem(record)}" for record in change.remove],
        specs=change.specs,
        action=change.action,
    )
    prefix.register(change.target, session.settings)


def _roll_back(linker: link.Linker, *, fresh: bool) -> None:
    shutil.rmtree(linker.prefix / ".condatmp", ignore_errors=True)
    linker.undo()
    if fresh:
        link.remove_empty_folders(linker.prefix)


def _site_packages(target: Path, places: dict[Dist, Path]) -> str:
    versions = [dist.version for dist in places if dist.name == "python"]
    versions += [str(record["version"]) for record in prefix.records(target) if record["name"] == "python"]
    major_minor = ".".join(versions[0].split(".")[:2]) if versions else "3"
    return f"lib/python{major_minor}/site-packages"


@contextmanager
def _signals() -> Iterator[None]:
    def interrupt(number: int, _frame: object) -> None:
        raise SignalReceivedError(signal.Signals(number).name)

    chosen = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
    before = {number: signal.signal(number, interrupt) for number in chosen}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
