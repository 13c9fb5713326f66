"""Brings files of a host here, over as many connections as it takes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.engine.pull_choice import Chooser, Wish
from provision.engine.pull_fetch import Fetcher, Tally, no_room
from provision.engine.pull_stream import Stream
from provision.errors import LinkLostError, StepFailedError, UnreachableError, UsageError
from provision.events import LinkLost
from provision.remote import catalogue
from provision.sync.pulling import FOLDER, BadMessageError, Listed, Listing, decoded
from provision.tree.pull_record import Record
from provision.tree.pulled import InTheWayError, Place, destination

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from provision.engine.pull_choice import Choice
    from provision.engine.stop import Stop
    from provision.events import Emit
    from provision.model.link import Link

LOSSES = 5
"""Links that may be lost in a row without anything coming in between."""
AGAIN = "run the same command again: it goes on where it was"
IN_PARTS = "the list of what is there never came whole: pull one folder of it at a time, or a pattern"


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did; paths are bytes as the host has them."""

    to: Path
    """Where it went, as DEST was typed: the file or the folder itself, or the folder that several came into."""
    into_folder: bool
    """Whether that is a folder."""
    counts: tuple[int, int, int]
    """Files, links and new folders that came, or would come."""
    tally: Tally
    refused: dict[bytes, str]
    left_out: dict[bytes, str]
    notes: tuple[str, ...]
    planned: tuple[tuple[bytes, int], ...] | None
    """Of a dry run: what would come, with sizes; a folder ends with a slash. ``None``: it was none."""


class Puller:
    """One pull from one host."""

    def __init__(
        self, wish: Wish, link: Link, emit: Emit, stop: Stop, *, environ: Mapping[str, str], umask: int
    ) -> None:
        self._wish = wish
        self._link = link
        self._emit = emit
        self._stop = stop
        self._to, self._name = destination(wish.into)
        self._record = Record(self._to, environ)
        self._umask = umask
        self._place: Place | None = None
        self._fetcher: Fetcher | None = None
        self._tally = Tally()
        self._first = True
        self._refused: dict[bytes, str] = {}
        self._left_out: dict[bytes, str] = {}
        self._planned: tuple[tuple[bytes, int], ...] | None = None
        self._would = (0, 0, 0)
        self._went = self._to
        self._into_folder = True

    def run(self) -> Pulled:
        """Pull everything, and return what came of it.

        Raises:
            InterruptedRunError: the user stopped it; the next one goes on.
            StepFailedError: the host has nothing there, lies, or our disk is full.
            UnreachableError: the link was lost too often.
            UsageError: DEST is nowhere.
        """
        try:
            self._open()
            self._connected()
        except BadMessageError as error:
            raise StepFailedError(
                f"the host sends what cannot be: {error}",
                hint="files that came whole stay, and so does the unfinished part of a large one; "
                "is it the host that you mean?",
            ) from error
        finally:
            if self._fetcher is not None:
                self._fetcher.close()
            if self._place is not None:
                self._place.close()
        fetcher = self._fetcher
        notes = tuple(fetcher.notes) if fetcher is not None else ()
        refused = {**self._refused, **(fetcher.refused if fetcher is not None else {})}
        tally = self._tally
        counts = (tally.files, tally.links, tally.folders) if self._planned is None else self._would
        return Pulled(self._went, self._into_folder, counts, tally, refused, self._left_out, notes, self._planned)

    def _open(self) -> None:
        try:
            if self._name is None and not self._to.exists() and not self._wish.dry_run:
                self._to.mkdir(parents=True)
            if self._to.exists() or not self._wish.dry_run:
                self._place = Place(self._to, self._umask)
        except OSError as error:
            raise UsageError(f"{self._to} here: {error.strerror or error}", hint="give another DEST") from error

    def _connected(self) -> None:
        losses, position = 0, -1
        while True:
            try:
                self._session()
            except LinkLostError as error:
                now = self._fetcher.position if self._fetcher is not None else 0
                losses, position = (1 if now > position else losses + 1), now
                if losses >= LOSSES:
                    raise UnreachableError(
                        f"the link was lost {LOSSES} times in a row without bringing anything: {error.message}",
                        hint=AGAIN if self._fetcher is not None else IN_PARTS,
                    ) from error
                self._emit(LinkLost(error.message))
                self._link.reconnect()
            else:
                return

    def _session(self) -> None:
        wish = self._wish
        request: dict[str, Any] = {"root": wish.root, "path": wish.path, "codecs": ["zstd", "gzip"], "most": wish.most}
        if wish.unlike:
            request["unlike"] = wish.unlike
        conversation = self._link.converse(catalogue.send_files(wish.state_dir, json.dumps(request), wish.env))
        stream = Stream(conversation, self._stop)
        try:
            self._pull(stream)
        finally:
            self._tally.wire_bytes += stream.bytes
            conversation.close()

    def _pull(self, stream: Stream) -> None:
        listing = self._listing(stream)
        tops = listing.tops
        if self._name is not None and len(tops) > 1:
            raise StepFailedError(
                f"{len(tops)} paths match, and {self._wish.into} is no folder",
                hint=f"{self._wish.into}/ with a slash makes one",
            )
        chooser = Chooser(self._place, self._record, self._wish, self._name)
        settled = self._fetcher.settled if self._fetcher is not None else frozenset[bytes]()
        choice = chooser.choose(listing.entries, settled)
        self._refused.update(choice.refused)
        self._left_out.update(choice.left_out)
        if len(tops) == 1:
            self._went = self._to / os.fsdecode(self._name or tops[0])
            self._into_folder = listing.entries[0].kind == FOLDER
        if self._place is None:
            self._plan(choice, [])
            return
        if self._fetcher is None:
            wanted = [*choice.fetch, *choice.compare]
            self._fetcher = Fetcher(self._place, self._record, self._wish, chooser, self._emit)
            self._tally = self._fetcher.tally
            self._tally.skipped = choice.skipped
            self._tally.total_files = len(wanted)
            self._tally.total_bytes = sum(one.size for one in wanted)
            if self._wish.dry_run:
                self._tally.total_files = len(choice.compare)
                self._tally.total_bytes = sum(one.size for one in choice.compare)
            elif sum(one.size for one in choice.fetch) > self._place.free_bytes() + self._fetcher.here(choice):
                raise no_room()
        if self._wish.dry_run:
            self._fetcher.fetch(choice, stream)
            self._plan(choice, self._fetcher.differing)
            return
        self._folders(choice, chooser, self._place)
        self._fetcher.fetch(choice, stream)
        self._links(choice, chooser, self._place)

    def _listing(self, stream: Stream) -> Listing:
        listing = Listing(os.fsencode(self._wish.path), self._wish.most, self._wish.most_bytes)
        begun = False
        while True:
            found = stream.next()
            if found is None:
                continue
            kind, payload = found
            if not begun:
                if kind != b"A" or decoded(payload).get("protocol") != 1:
                    raise BadMessageError("a first word that is none")
                begun = True
            elif kind == b"N":
                listing.add(payload)
            elif kind == b"Z":
                listing.end(payload)
                return listing
            else:
                raise BadMessageError(f"a message of kind {kind!r} in the listing")

    def _folders(self, choice: Choice, chooser: Chooser, place: Place) -> None:
        made = {one.number for one in choice.made}
        for one in choice.folders:
            try:
                place.folder(chooser.parts(one))
                self._tally.folders += one.number in made
            except (InTheWayError, OSError) as error:
                self._refused[one.path] = chooser.why(one, error)

    def _links(self, choice: Choice, chooser: Chooser, place: Place) -> None:
        for one in choice.links:
            try:
                place.link(chooser.parts(one), one.target, choice.there.get(one.number))
                self._tally.links += 1
            except (InTheWayError, OSError) as error:
                self._refused[one.path] = chooser.why(one, error)

    def _plan(self, choice: Choice, differing: list[Listed]) -> None:
        """Keep what would come: folders, files and links, in the order of the listing."""
        folders = {one.number for one in choice.made}
        found = sorted((*choice.made, *choice.fetch, *differing, *choice.links), key=lambda one: one.number)
        self._planned = tuple((one.path + b"/" * (one.number in folders), one.size) for one in found)
        self._would = (len(choice.fetch) + len(differing), len(choice.links), len(choice.made))
