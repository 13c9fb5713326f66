"""Decides for each path that a host lists whether it is pulled, is there already, or stays away."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.sync.manifest import LINK
from provision.sync.pulling import CLOSED, FILES, FOLDER, Listed, alike, is_part, leads_out
from provision.tree.pulled import InTheWayError

if TYPE_CHECKING:
    import os
    from collections.abc import Collection

    from provision.tree.pull_record import Record
    from provision.tree.pulled import Place

DIFFERS = "differs here, and no pull brought what is here: --overwrite replaces it"
LEADS_OUT = "a link that leads out of what is pulled"
SPECIAL = "a device, a fifo or a socket"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for."""

    host: str
    """The host as a person reads it: what is unfinished is only gone on with from the same one."""
    root: str
    """The folder on the host that a relative path stands below."""
    path: str
    state_dir: str
    into: str
    """DEST as it was typed."""
    overwrite: bool = False
    checksum: bool = False
    dry_run: bool = False
    most: int = 0
    """Entries that are taken."""
    most_bytes: int = 0
    """Bytes of the listing that are taken."""
    env: tuple[tuple[str, str], ...] = ()


@dataclass
class Choice:
    """What becomes of the listed paths."""

    fetch: list[Listed] = field(default_factory=list)
    compare: list[Listed] = field(default_factory=list)
    """Of the same size here: by hash it is decided."""
    folders: list[Listed] = field(default_factory=list)
    links: list[Listed] = field(default_factory=list)
    skipped: int = 0
    refused: dict[bytes, str] = field(default_factory=dict)
    """Wanted, and not pulled: why."""
    left_out: dict[bytes, str] = field(default_factory=dict)
    """Of a kind that never travels."""
    there: dict[int, os.stat_result] = field(default_factory=dict)
    """By number, what stands here now."""


class Chooser:
    """Looks at what is here; `name` is what the single match is called here, ``None``: as on the host."""

    def __init__(self, place: Place | None, record: Record, wish: Wish, name: bytes | None) -> None:
        self._place = place
        self._record = record
        self._wish = wish
        self._name = name
        self._blocked: set[bytes] = set()

    def parts(self, one: Listed) -> tuple[bytes, ...]:
        """Return the names of a path as it is here."""
        first, *rest = one.parts
        return (first if self._name is None else self._name, *rest)

    def choose(self, entries: list[Listed], settled: Collection[bytes] = ()) -> Choice:
        """Decide for every path, but for those that are settled."""
        choice = Choice()
        same = alike(entries)
        if same and self._place is not None and not self._place.folds_case():
            same = frozenset()
        for one in entries:
            if one.path in settled or one.path.rpartition(b"/")[0] in self._blocked:
                if one.path not in settled and one.kind == FOLDER:
                    self._blocked.add(one.path)
                continue
            why = "its name is another one's here, but for upper and lower case" if one.path in same else ""
            if is_part(one.path.rpartition(b"/")[2]):
                why = "a name that unfinished files have"
            if why:
                self._refuse(one, why, choice)
                continue
            try:
                self._one(one, choice)
            except InTheWayError as error:
                self._refuse(one, str(error), choice)
            except OSError as error:
                self._refuse(one, error.strerror or str(error), choice)
        return choice

    def may_replace(self, one: Listed, there: os.stat_result) -> bool:
        """Return whether what stands here may make way: an earlier pull brought it, or the user says so."""
        if self._wish.overwrite:
            return True
        stamp = self._record.stamp(b"/".join(self.parts(one)))
        return stamp is not None and (stamp.size, stamp.mtime_ns) == (there.st_size, there.st_mtime_ns)

    def _refuse(self, one: Listed, why: str, choice: Choice) -> None:
        choice.refused[one.path] = why
        if one.kind == FOLDER:
            self._blocked.add(one.path)

    def _one(self, one: Listed, choice: Choice) -> None:
        if one.kind == CLOSED:
            raise InTheWayError(f"on the host: {one.target.decode('utf-8', 'replace')[:200]}")
        there = self._place.look(self.parts(one)) if self._place is not None else None
        if one.kind == FOLDER:
            if there is not None and not stat.S_ISDIR(there.st_mode):
                what = "a link" if stat.S_ISLNK(there.st_mode) else "a file"
                raise InTheWayError(f"{what} stands here where a folder must go")
            choice.folders.append(one)
        elif one.kind == LINK:
            self._link(one, there, choice)
        elif one.kind in FILES:
            self._file(one, there, choice)
        else:
            choice.left_out[one.path] = SPECIAL

    def _link(self, one: Listed, there: os.stat_result | None, choice: Choice) -> None:
        if leads_out(one.path, one.target, 0 if self._name is None else 1):
            choice.left_out[one.path] = LEADS_OUT
            return
        if there is not None:
            _no_folder(there)
            link = self._place if stat.S_ISLNK(there.st_mode) else None
            if link is not None and link.target(self.parts(one)) == one.target:
                choice.skipped += 1
                return
            if not self.may_replace(one, there):
                raise InTheWayError(DIFFERS)
            choice.there[one.number] = there
        choice.links.append(one)

    def _file(self, one: Listed, there: os.stat_result | None, choice: Choice) -> None:
        if there is None:
            choice.fetch.append(one)
            return
        _no_folder(there)
        choice.there[one.number] = there
        if stat.S_ISREG(there.st_mode) and there.st_size == one.size:
            if self._wish.checksum:
                choice.compare.append(one)
                return
            if self._is_same(one, there):
                choice.skipped += 1
                return
        if not self.may_replace(one, there):
            raise InTheWayError(DIFFERS)
        choice.fetch.append(one)

    def _is_same(self, one: Listed, there: os.stat_result) -> bool:
        if there.st_mtime_ns == one.mtime_ns:
            return True
        # Some file systems keep no nanoseconds: what we saw there after the pull counts.
        stamp = self._record.stamp(b"/".join(self.parts(one)))
        return stamp == (there.st_size, there.st_mtime_ns, one.size, one.mtime_ns)


def _no_folder(there: os.stat_result) -> None:
    if stat.S_ISDIR(there.st_mode):
        raise InTheWayError("a folder stands here where a file must go")
