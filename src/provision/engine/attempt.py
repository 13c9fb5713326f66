"""One conversation with one host: what it has, what it lacks, and sending that."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from provision.engine import sync_limits
from provision.engine.exchange import LOOK, Exchange, misunderstood
from provision.engine.sending import sent, settled
from provision.engine.sync_plan import met, planned, strangers
from provision.engine.upload import Progress, Upload
from provision.events import Note, Synced, SyncPlanned, Waiting
from provision.model.plan import Outcome
from provision.model.sync import SyncPlan, SyncResult
from provision.sync.answers import answer_of, foreseen_of
from provision.sync.codec import chosen, encoder
from provision.sync.delta import Delta, between
from provision.sync.manifest import EMPTY, Manifest
from provision.sync.wire import PIECE, WireError, block, request, start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.engine.past import Past
    from provision.engine.stop import Stop
    from provision.engine.sync import SyncGoal
    from provision.events import Emit
    from provision.model.link import Conversation
    from provision.sync.answers import Answer, Placed
    from provision.tree.archive import TreeSource

READING = 1.0
"""Seconds that the project may be read without a word about it."""


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
        target = self._target(exchange, answer)
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
        self._judge_strangers(answer, paths)
        plan = planned(answer, self._goal.origin, host, delta, target, paths, sizes)
        if self._past.had is None:
            # Where the list is lost, what stands there under our names is ours as far as anybody knows.
            self._past.had = paths if answer.recovering else host.records
        if self._goal.dry_run:
            return self._foreseen(exchange, answer, delta, target, plan)
        sync_limits.judge_room(answer, delta, sizes, target)
        self._agree(exchange, plan)
        self._stop.between_steps()
        upload = self._upload(exchange.conversation, answer, delta, host, target)
        return self._placed(self._sent(exchange, upload, plan), upload, answer, plan)

    def _target(self, exchange: Exchange, answer: Answer) -> Manifest | None:
        """Return the tree that is meant; ``None`` where all of it goes, and is read only while it is sent."""
        # What a sync that broke left of big files counts by their hashes; to say what would make way, they count too.
        if answer.id or answer.staged or answer.partial or (self._goal.dry_run and answer.top):
            return self._source.manifest(lambda: self._busy(exchange))
        return None

    # -- a dry run -------------------------------------------------------------------------------

    def _foreseen(
        self, exchange: Exchange, answer: Answer, delta: Delta, target: Manifest | None, plan: SyncPlan
    ) -> Outcome:
        # An interrupted sync would be ended first, and what stands there then is not known yet.
        if target is not None and not delta.empty and not answer.rolled_forward:
            self._try(exchange, delta, target, chosen(answer.codecs))
            plan = met(plan, foreseen_of(self._received(exchange, b"F")), self._past.had or ())
        with exchange.beating():
            plan = replace(plan, questions=self._goal.foresee(plan))
        self._emit(SyncPlanned(plan))
        return Outcome.PENDING

    def _try(self, exchange: Exchange, delta: Delta, target: Manifest, codec: str) -> None:
        """Tell the host all but the content; it says what that would meet, or what would stop it."""
        coder, say = encoder(codec), exchange.conversation.send
        coded = coder.write(delta.trial(target)) + coder.end()
        say(start(codec))
        for at in range(0, len(coded), PIECE):
            say(block(b"D", coded[at : at + PIECE]))
        say(block(b"D"))
        exchange.moved()

    # -- what is there ---------------------------------------------------------------------------

    def _judge_strangers(self, answer: Answer, paths: Sequence[bytes]) -> None:
        if not answer.recovering:
            if not answer.id and not self._goal.take_over:
                sync_limits.refuse_strangers(answer, paths)
        elif not self._past.told_recovering:
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
            settled=lambda: settled(source, archive, host),
            about=self._about,
        )

    def _sent(self, exchange: Exchange, upload: Upload, plan: SyncPlan) -> Placed:
        try:
            placed = sent(exchange, upload, Progress(upload, plan, self._emit), self._stop)
        finally:
            self._past.wire_bytes += upload.wire_bytes
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
                    left=placed.left,
                )
            )
        )
        return Outcome.CHANGED

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
