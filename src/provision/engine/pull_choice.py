"""Decides for each path that a host lists whether it is pulled, is there already, or stays away."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.sync.manifest import LINK
from provision.sync.part import is_part
from provision.sync.pulling import CLOSED, FILES, FOLDER, Listed, alike, leads_out
from provision.tree.pulled import InTheWayError, destination

if TYPE_CHECKING:
    from collections.abc import Collection

    from provision.tree.pull_record import Record
    from provision.tree.pulled import Place

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
    unlike: str = ""
    """The list of a job's snapshot on the host: what is as it was copied stays there."""


@dataclass
class Choice:
    """What becomes of the listed paths."""

    fetch: list[Listed] = field(default_factory=list)
    compare: list[Listed] = field(default_factory=list)
    """Of the same size here: by hash it is decided."""
    folders: list[Listed] = field(default_factory=list)
    made: list[Listed] = field(default_factory=list)
    """Of the folders, those that are not here yet."""
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
        self._to = destination(wish.into)[0]
        self._record = record
        self._wish = wish
        self._name = name
        self._blocked: set[bytes] = set()

    def parts(self, one: Listed) -> tuple[bytes, ...]:
        """Return the names of a path as it is here."""
        first, *rest = one.parts
        return (first if self._name is None else self._name, *rest)

    def here(self, one: Listed) -> str:
        """Return a path as it is here, below DEST as it was typed."""
        return str(self._to.joinpath(*map(os.fsdecode, self.parts(one))))

    def differs(self, one: Listed) -> str:
        """Return why what stands here stays as it is."""
        return f"{self.here(one)} here is not the same, and no pull brought it: --overwrite replaces it"

    def why(self, one: Listed, error: InTheWayError | OSError) -> str:
        """Return why a path could not be put in its place here."""
        if isinstance(error, InTheWayError):
            return str(error)
        return f"{self.here(one)} here: {error.strerror or error}"

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
            except (InTheWayError, OSError) as error:
                self._refuse(one, self.why(one, error), choice)
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
                raise InTheWayError(f"{self.here(one)} here is {what}, and a folder must go there")
            choice.folders.append(one)
            if there is None:
                choice.made.append(one)
        elif one.kind == LINK:
            self._link(one, there, choice)
        elif one.kind in FILES:
            self._file(one, there, choice)
        elif one.path == os.fsencode(os.path.basename(os.path.normpath(self._wish.path))):  # noqa: PTH119 - a host's path
            raise InTheWayError(f"{SPECIAL}, which cannot be pulled")
        else:
            choice.left_out[one.path] = SPECIAL

    def _link(self, one: Listed, there: os.stat_result | None, choice: Choice) -> None:
        if leads_out(one.path, one.target, 0 if self._name is None else 1):
            choice.left_out[one.path] = LEADS_OUT
            return
        if there is not None:
            self._no_folder(one, there)
            link = self._place if stat.S_ISLNK(there.st_mode) else None
            if link is not None and link.target(self.parts(one)) == one.target:
                choice.skipped += 1
                return
            if not self.may_replace(one, there):
                raise InTheWayError(self.differs(one))
            choice.there[one.number] = there
        choice.links.append(one)

    def _file(self, one: Listed, there: os.stat_result | None, choice: Choice) -> None:
        if there is None:
            choice.fetch.append(one)
            return
        self._no_folder(one, there)
        choice.there[one.number] = there
        as_large = stat.S_ISREG(there.st_mode) and there.st_size == one.size
        if as_large:
            if self._wish.checksum:
                choice.compare.append(one)
                return
            if self._is_same(one, there):
                choice.skipped += 1
                return
        if not self.may_replace(one, there):
            raise InTheWayError(self._another_time(one) if as_large else self.differs(one))
        choice.fetch.append(one)

    def _another_time(self, one: Listed) -> str:
        return (
            f"{self.here(one)} here has the same size and another time, and no pull brought it: "
            "--checksum compares the content, --overwrite replaces it"
        )

    def _no_folder(self, one: Listed, there: os.stat_result) -> None:
        if stat.S_ISDIR(there.st_mode):
            raise InTheWayError(f"{self.here(one)} here is a folder, and a file must go there")

    def _is_same(self, one: Listed, there: os.stat_result) -> bool:
        if there.st_mtime_ns == one.mtime_ns:
            return True
        # Some file systems keep no nanoseconds: what we saw there after the pull counts.
        stamp = self._record.stamp(b"/".join(self.parts(one)))
        return stamp == (there.st_size, there.st_mtime_ns, one.size, one.mtime_ns)
