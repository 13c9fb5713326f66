"""Performs the actions of steps over a link, and survives the link."""

from __future__ import annotations

import codecs
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.engine.mask import Mask
from provision.errors import InterruptedRunError, LinkLostError, StepFailedError, UnfitError, UnreachableError
from provision.events import CommandRan, LinkLost, StepFinished, StepOutput, StepStarted
from provision.model.plan import Detached, Fetch, Finding, Program, Run, Severity
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.engine.stop import Stop
    from provision.events import Emit
    from provision.model.link import Completed, Link, OnOutput
    from provision.model.plan import Step

TRIES = 4
"""Of one idempotent program when the link breaks under it."""
TAIL = 60
LONGEST_LINE = 8192
VANISHED, NEVER_STARTED, LOCKED, NO_WAY_OUT, NOT_HAD = 251, 252, 75, 69, 14


class Performer:
    """Carries out actions on one host and emits what happens."""

    def __init__(
        self,
        link: Link,
        emit: Emit,
        stop: Stop,
        *,
        state_dir: str,
        regain: Callable[[], None],
        env: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._env = env
        self.link = link
        self.emit = emit
        self.stop = stop
        self.state_dir = state_dir
        self._regain = regain
        self.findings: list[Finding] = []

    def carry_out(self, step: Step, number: int, total: int) -> None:
        """Do what the step says, and tell its begin and its end; raises as `perform` does."""
        self.emit(StepStarted(step, number, total))
        started = time.monotonic()
        ok = False
        try:
            self.perform(step)
            ok = True
        finally:
            self.emit(StepFinished(step, time.monotonic() - started, ok))

    def perform(self, step: Step) -> None:
        """Do what the step says.

        Raises:
            StepFailedError: it was done, and not well.
            UnfitError: it was a check of the host, and found errors.
            InterruptedRunError: the user asked to end it now.
        """
        action = step.action
        if isinstance(action, Run):
            self._run(step, action)
        elif isinstance(action, Detached):
            code, tail = self._supplied(step, action)
            if code != 0:
                raise failed(step.name, code, tail, action.explain)
        elif isinstance(action, Fetch):
            from provision.engine.fetch import fetch

            fetch(self, step, action)

    def _supplied(self, step: Step, action: Detached) -> tuple[int, str]:
        """Run a detached program; where the host cannot download what it needs, send that and run it once more."""
        what = action.supply
        if what is None or not what.at_once:
            code, tail = self.detached(action.program)
            if code != NOT_HAD or what is None:
                return code, tail
            self.emit(StepOutput("the host cannot download all of it: fetching it here, and sending it"))
        from provision.engine.supply import supply

        supply(self, step, what)
        return self.detached(what.program)

    def _run(self, step: Step, action: Run) -> None:
        done = self.command(action.program)
        if action.judge is None:
            if done.code != 0:
                raise failed(step.name, done.code, _text(done.stderr or done.stdout), None)
            return
        findings = action.judge(done.stdout)
        self.findings.extend(findings)
        errors = [one for one in findings if one.severity is Severity.ERROR]
        after = action.on_fail if errors else action.on_pass
        if after is None and action.record is not None and not errors:
            after = action.record(done.stdout)
        unnoted = None
        if after is not None:
            try:
                self._must(step, after)
            except StepFailedError as failure:
                # Of what was found and that it could not be noted, what was found says more.
                if not errors:
                    raise
                unnoted = failure
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            kind = UnfitError if action.judges_host else StepFailedError
            detail = unnoted.message if unnoted is not None else None
            raise kind(f"{step.name}: {errors[0].message}{more}", hint=errors[0].fix, detail=detail)

    def _must(self, step: Step, program: Program) -> None:
        done = self.command(program)
        if done.code != 0:
            raise failed(step.name, done.code, _text(done.stderr or done.stdout), None)

    def command(self, program: Program, *, on_output: OnOutput | None = None, capture: bool = True) -> Completed:
        """Run an idempotent program, again after a lost link."""
        if self._env and not program.gathered:
            program = replace(program, env=self._env)

        def take(name: str, piece: bytes) -> None:
            self.stop.during_step()
            if on_output is not None:
                on_output(name, piece)

        for attempt in range(1, TRIES + 1):
            started = time.monotonic()
            try:
                done = self.link.run(program, on_output=take, capture=capture)
            except LinkLostError as error:
                self.emit(CommandRan(program.shown, None, time.monotonic() - started))
                self.stop.during_step()
                if attempt == TRIES:
                    raise
                self.recover(error)
            else:
                self.emit(CommandRan(program.shown, done.code, done.seconds))
                return done
        raise AssertionError("unreachable")

    def recover(self, error: LinkLostError) -> None:
        """Make a new connection, and hold the host again."""
        self.emit(LinkLost(error.message))
        try:
            self.link.reconnect()
        except UnreachableError as gone:
            if gone.kind != UnreachableError.kind:
                raise
            raise UnreachableError(
                f"the link was lost and did not come back: {gone.message}",
                hint="what runs on the host goes on there; run the same command again: it follows it to its end",
            ) from gone
        self._regain()

    def detached(self, program: Program) -> tuple[int, str]:
        """Run a program apart from the connection and follow it; return its exit code and its last lines."""
        step = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
        started = self.command(catalogue.detach(self.state_dir, step, replace(program, env=self._env)))
        if started.code == LOCKED:
            raise StepFailedError(
                "another step still runs on the host", hint="run the same command again to wait for it"
            )
        if started.code != 0:
            raise failed(program.script, started.code, _text(started.stderr or started.stdout), None)
        begun = time.monotonic()
        code, tail = self.follow(step, program.secrets)
        self.emit(CommandRan(f"detached {step}: {program.shown}", code, time.monotonic() - begun))
        return code, tail

    def follow(self, step: str, hidden: tuple[str, ...] = ()) -> tuple[int, str]:
        """Follow a detached step from its first byte to its end, across lost links; return exit code and last lines."""
        lines = Lines(self.emit, hidden)

        def take(name: str, piece: bytes) -> None:
            if name == "stdout" and piece:
                lines.feed(piece)
            elif not piece:
                # Silence for a second: what stands there without an end is shown, or the user sees a step late.
                lines.end()
            self.stop.during_step()

        losses = 0
        while True:
            seen = lines.bytes
            try:
                done = self.link.run(catalogue.follow(self.state_dir, step, seen), on_output=take, capture=False)
            except InterruptedRunError:
                self._end(step)
                raise
            except LinkLostError as error:
                if self.stop.now:
                    raise InterruptedRunError("stopped on request in the middle of a step") from error
                losses = losses + 1 if lines.bytes == seen else 0
                if losses > TRIES:
                    raise
                self.recover(error)
            else:
                lines.finish()
                return done.code, "\n".join(lines.tail)

    def _end(self, step: str) -> None:
        """End a detached step; where the link is gone too, the next run will wait for it."""
        try:
            self.link.run(catalogue.stop_step(self.state_dir, step))
        except (LinkLostError, UnreachableError) as error:
            raise InterruptedRunError(
                f"stopped on request, but the step could not be ended: {error.message}",
                hint="it may still run on the host; run the same command again to follow it to its end",
            ) from error


class Lines:
    """Cuts a byte stream into lines to show, counting the bytes, keeping the last lines."""

    def __init__(self, emit: Emit, hidden: tuple[str, ...]) -> None:
        self._emit = emit
        self._mask = Mask(hidden)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._part = ""
        self.bytes = 0
        self.tail: list[str] = []

    def feed(self, piece: bytes) -> None:
        """Take a piece; a carriage return ends a line too, as progress bars use it."""
        self.bytes += len(piece)
        *whole, self._part = (
            (self._part + self._decoder.decode(piece)).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        )
        for line in whole:
            self._show(line)
        # A line without an end must not grow without bound.
        if len(self._part) > 1 << 16:
            self.end()

    def end(self) -> None:
        """Show what is left without a newline, but for the begin of a secret: its rest may come yet."""
        part, self._part = self._mask.split(self._part)
        self._show(part)

    def finish(self) -> None:
        """Show what is left when nothing more can come, half a character included."""
        part, self._part = self._part + self._decoder.decode(b"", final=True), ""
        self._show(part)

    def _show(self, line: str) -> None:
        if not line.strip():
            return
        line = self._mask.hide(line)
        # A line without measure goes on in pieces: it waits, is logged and shown several times over.
        for at in range(0, len(line), LONGEST_LINE):
            self._emit(StepOutput(line[at : at + LONGEST_LINE]))
        self.tail.append(line[-LONGEST_LINE:])
        del self.tail[:-TAIL]


def failed(
    name: str, code: int, output: str, explain: Callable[[str], tuple[str, str | None] | None] | None
) -> StepFailedError:
    """Return the error for a step that ended badly: the known cause, else its last line."""
    if code == VANISHED:
        return StepFailedError(
            f"{name}: it was killed on the host, or the machine restarted",
            hint="run the same command again: what was half done is taken up or replaced",
            detail=output or None,
        )
    if code == NEVER_STARTED:
        return StepFailedError(
            f"{name}: the host no longer knows of it: its state folder was emptied or replaced",
            hint="run the same command again",
        )
    known = explain(output) if explain else None
    if known is not None:
        message, hint = known
        return StepFailedError(f"{name}: {message}", hint=hint, detail=output or None)
    lines = [one.strip() for one in output.splitlines() if one.strip()]
    last = lines[-1] if lines else "it printed nothing"
    return StepFailedError(f"{name}: exit code {code}: {last}", detail=output or None)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
