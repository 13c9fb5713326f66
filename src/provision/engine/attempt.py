"""One conversation with one host: what it has, what it lacks, and sending that."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from provision.engine import sync_limits
from provision.engine.exchange import LOOK, ChangedError, Exchange, misunderstood
from provision.engine.sync_plan import planned, strangers
from provision.engine.upload import Progress, Upload
from provision.errors import InterruptedRunError, LinkLostError, StepFailedError
from provision.events import Note, Synced, SyncPlanned, Waiting
from provision.model.plan import Outcome
from provision.model.sync import SyncPlan, SyncResult
from provision.sync.answers import answer_of, placed_of
from provision.sync.codec import chosen
from provision.sync.delta import Delta, between
from provision.sync.manifest import EMPTY, Manifest
from provision.sync.wire import WireError, request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.engine.past import Past
    from provision.engine.stop import Stop
    from provision.engine.sync import SyncGoal
    from provision.events import Emit
    from provision.model.link import Conversation
    from provision.sync.answers import Answer, Placed
    from provision.tree.archive import TreeSource
    from provision.tree.packing import Archive

READING = 1.0
"""Seconds that the project may be read without a word about it."""
LAST_WORD = 5.0
"""Seconds in which the host may still say why it takes nothing more, or save what it has."""


class Attempt:
    """One conversation; what it raises says whether another one makes sense."""

    def __init__(self, goal: SyncGoal, source: TreeSource, past: Past, emit: Emit, stop: Stop) -> None:
        self._goal = goal
        self._source = source
        self._past = past
        self._emit = emit
        self._stop = stop
        self._base = goal.bases.load(goal.base_key) if goal.bases is not None else None
        self._base_id = hashlib.sha256(self._base).hexdigest() if self._base is not None else ""
        ready = source.ready
        self._asked = ready.id if ready is not None else ""
        self._began = time.monotonic()

    def request(self, wait: float) -> str:
        """Return what the receiver is asked; it waits so many seconds for another sync."""
        goal = self._goal
        return request(
            {
                "tree": f"{goal.workdir.rstrip('/')}/{goal.project}",
                "state_dir": goal.state_dir,
                "origin": asdict(goal.origin),
                "base": self._base_id,
                "target": self._asked,
                "take_over": goal.take_over,
                "dry_run": goal.dry_run,
                "rehash": goal.rehash,
                "wait": wait,
            }
        )

    def run(self, conversation: Conversation) -> Outcome:
        """Speak with the receiver to the end and return what became of it.

        Raises:
            LinkLostError: the link broke; the host keeps what has arrived.
            BusyError: another sync holds the tree.
            ChangedError: files changed while they were sent.
            StepFailedError: it is not possible as things are.
            InterruptedRunError: the user ended it.
        """
        try:
            return self._spoken(Exchange(conversation))
        except WireError as error:
            raise misunderstood(str(error)) from error

    def _spoken(self, exchange: Exchange) -> Outcome:
        answer = self._answer(exchange)
        if not self._goal.take_over:
            sync_limits.refuse_other_owner(answer, self._goal.origin)
        # What a sync that broke left of big files counts by their hashes.
        first = not answer.id and not answer.staged and not answer.partial
        target = None if first else self._source.manifest(lambda: self._busy(exchange))
        if target is None:
            scan = self._source.scan(lambda: self._busy(exchange))
            host, delta, sizes, paths = EMPTY, Delta(send=tuple(scan.paths)), scan.sizes, scan.paths
        else:
            if answer.id == target.id and not answer.changed and sync_limits.is_ours(answer, self._goal.origin):
                if not self._goal.dry_run and sync_limits.is_older(answer, self._goal.origin):
                    self._record(exchange, answer, target)
                return self._up_to_date(answer, target)
            host = self._host_manifest(exchange, answer, target)
            staged = _parsed(self._received(exchange, b"S")) if answer.staged else EMPTY
            delta = _delta(host, answer, target, staged)
            sizes, paths = [target.entry(path).size for path in delta.send], list(target.records)
        if answer.recovering:
            self._tell_recovering()
        elif not answer.id and not self._goal.take_over:
            sync_limits.refuse_strangers(answer, paths)
        plan = planned(answer, self._goal.origin, host, delta, target, paths, sizes)
        if answer.recovering:
            # What stands there under our names is ours, as far as anybody knows.
            plan = replace(plan, first=False, standing=())
        if self._past.had is None:
            self._past.had = paths if answer.recovering else host.records
        if self._goal.dry_run:
            with exchange.beating():
                plan = replace(plan, questions=self._goal.foresee(plan))
            self._emit(SyncPlanned(plan))
            return Outcome.PENDING
        sync_limits.judge_room(answer, delta, sizes, target)
        self._agree(exchange, plan)
        self._stop.between_steps()
        upload = self._upload(exchange.conversation, answer, delta, host, target)
        return self._placed(self._sent(exchange, upload, plan), upload, answer, plan)

    # -- what is there ---------------------------------------------------------------------------

    def _tell_recovering(self) -> None:
        if not self._past.told_recovering:
            self._past.told_recovering = True
            self._emit(
                Note(
                    "the host's list of what was synced is lost or damaged: everything is sent again, "
                    "and what differs there is kept aside"
                )
            )

    def _answer(self, exchange: Exchange) -> Answer:
        answer = answer_of(self._received(exchange, b"A"))
        self._past.judge(answer.staged, sum(answer.partial.values()))
        return answer

    def _received(self, exchange: Exchange, kind: bytes) -> bytes:
        while True:
            message = exchange.next(LOOK)
            if message is None:
                self._alive(exchange)
            elif message[0] == kind:
                return message[1]
            elif (message[0], kind) != (b"M", b"S"):
                # Its manifest comes unasked, also where it turned out to be the one that we have.
                raise misunderstood(f"a message of type {message[0]!r} where {kind!r} was expected")

    def _alive(self, exchange: Exchange) -> None:
        self._stop.between_steps()
        exchange.beat()

    def _busy(self, exchange: Exchange) -> None:
        """Say that we are there while the project is read: it is not the host that is waited for."""
        self._alive(exchange)
        if not self._past.told_reading and time.monotonic() - self._began > READING:
            self._past.told_reading = True
            self._emit(Waiting("reading the project"))
        exchange.moved()

    def _host_manifest(self, exchange: Exchange, answer: Answer, target: Manifest) -> Manifest:
        if not answer.id:
            return EMPTY
        if answer.id == target.id:
            return target
        if answer.id == self._base_id and self._base is not None:
            # Our own file, whose digest is the one that was asked for.
            return Manifest(self._base)
        if answer.id == self._asked:
            raise misunderstood("a tree that it does not have")
        manifest = _parsed(self._received(exchange, b"M"))
        if manifest.id != answer.id:
            raise misunderstood("a manifest that is not the one it names")
        return manifest

    def _up_to_date(self, answer: Answer, target: Manifest) -> Outcome:
        self._keep_base(target)
        done = self._past.plan
        # A link that broke after the last byte left it to the host to place what it had.
        plan = done or SyncPlan(answer.tree, len(target), (), (), 0)
        # Files of this run are known by what was there before it.
        kept, earlier = (answer.kept, ()) if done is not None else ((), answer.kept)
        strange = strangers(kept, self._past.had or ())
        wire = self._past.wire_bytes
        self._emit(Synced(SyncResult(plan, done is None, wire, kept, id=target.id, strange=strange, earlier=earlier)))
        return Outcome.CHANGED if done is not None or answer.rolled_forward else Outcome.CONVERGED

    # -- what comes ------------------------------------------------------------------------------

    def _about(self) -> bytes:
        goal = self._goal
        return json.dumps(asdict(goal.about() if goal.about is not None else goal.origin)).encode()

    def _record(self, exchange: Exchange, answer: Answer, target: Manifest) -> None:
        """Let the host know that its tree is that of another commit now, though nothing in it differs."""
        upload = self._upload(exchange.conversation, answer, Delta(), target, target)
        self._sent(exchange, upload, SyncPlan(answer.tree, len(target), (), (), 0))

    def _agree(self, exchange: Exchange, plan: SyncPlan) -> None:
        agreed = self._past.plan
        if agreed is not None and set(plan.removed) <= set(agreed.removed):
            return
        with exchange.beating():
            self._goal.approve(plan)
        self._past.plan = plan
        self._emit(SyncPlanned(plan))

    def _upload(
        self, conversation: Conversation, answer: Answer, delta: Delta, host: Manifest, target: Manifest | None
    ) -> Upload:
        codec = chosen(answer.codecs)
        source = self._source
        archive = source.full_archive(codec) if target is None else source.archive(delta.send, codec)
        return Upload(
            conversation,
            archive,
            head=delta.records(target) if target is not None else b"",
            codec=codec,
            partial=answer.partial,
            settled=lambda: _settled(source, archive, host),
            about=self._about,
        )

    def _sent(self, exchange: Exchange, upload: Upload, plan: SyncPlan) -> Placed:
        upload.start()
        progress = Progress(upload, plan, self._emit)
        lost_at = 0.0
        try:
            while True:
                message = exchange.next(LOOK)
                if progress.told() or upload.waiting:
                    exchange.moved()
                if message is not None and message[0] == b"R":
                    return self._taken(placed_of(message[1]), upload)
                if message is not None and message[0] != b"M":
                    raise misunderstood(f"a message of type {message[0]!r} in the middle of a transfer")
                error = upload.error
                if isinstance(error, LinkLostError):
                    # The host may have said why it takes nothing more.
                    lost_at = lost_at or time.monotonic()
                    if time.monotonic() - lost_at > LAST_WORD:
                        raise error
                elif error is not None:
                    raise error
                if self._stop.asked and upload.target is None:
                    self._quit(exchange, upload)
                self._stop.during_step()
        finally:
            self._past.wire_bytes += upload.wire_bytes
            if upload.running:
                exchange.conversation.close()
                upload.join(LAST_WORD)

    def _taken(self, placed: Placed, upload: Upload) -> Placed:
        upload.join(LAST_WORD)
        if upload.target is None or placed.id != upload.target.id:
            raise misunderstood("it placed another tree than the one that was sent")
        self._keep_base(upload.target)
        return placed

    def _placed(self, placed: Placed, upload: Upload, answer: Answer, plan: SyncPlan) -> Outcome:
        assert upload.target is not None  # noqa: S101 - it was taken
        told = self._past.plan or plan
        self._emit(
            Synced(
                SyncResult(
                    replace(told, files=len(upload.target), adopted=placed.adopted),
                    up_to_date=False,
                    id=upload.target.id,
                    wire_bytes=self._past.wire_bytes,
                    kept=placed.kept,
                    strange=strangers(placed.kept, self._past.had or ()),
                    earlier=answer.kept,
                    resumed_bytes=placed.resumed,
                )
            )
        )
        return Outcome.CHANGED

    def _quit(self, exchange: Exchange, upload: Upload) -> None:
        """End in the middle: the host is told, so that it keeps what it has; its old tree is as it was.

        Raises:
            InterruptedRunError: always.
        """
        upload.quit()
        deadline = time.monotonic() + LAST_WORD
        while time.monotonic() < deadline and not self._stop.now:
            try:
                exchange.next(LOOK)
            except (LinkLostError, StepFailedError, ChangedError):
                break
        raise InterruptedRunError(
            "stopped on request: the host's tree is as it was",
            hint="run the same command again: what has arrived is not sent again",
        )

    def _keep_base(self, manifest: Manifest) -> None:
        goal = self._goal
        if goal.bases is None or goal.dry_run or manifest.blob == self._base:
            return
        note = goal.bases.keep(goal.base_key, manifest.blob)
        if note is not None:
            self._emit(Note(note))


def _delta(host: Manifest, answer: Answer, target: Manifest, staged: Manifest) -> Delta:
    try:
        return between(host, answer.changed, target, staged)
    except ValueError as error:
        raise misunderstood(str(error)) from error


def _parsed(blob: bytes) -> Manifest:
    try:
        return Manifest.parse(blob)
    except ValueError as error:
        raise misunderstood(str(error)) from error


def _settled(source: TreeSource, archive: Archive, host: Manifest) -> tuple[Manifest, Sequence[bytes]]:
    """Return the tree that was really sent, and what of the host's turned out to be gone while it was."""
    manifest = source.manifest()
    if not archive.actual:
        return manifest, ()
    entries = dict(manifest.entries)
    gone = []
    for path, entry in archive.actual.items():
        if entry is not None:
            entries[path] = entry
            continue
        entries.pop(path, None)
        if path in host.records:
            gone.append(path)
    return Manifest.of(entries), gone
