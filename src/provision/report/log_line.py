"""What the log says of each event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.events import (
    CommandRan,
    Connected,
    HostFinished,
    HostStarted,
    JobChanged,
    JobLaunched,
    Judged,
    LinkLost,
    Note,
    Planned,
    Probed,
    StepFinished,
    StepOutput,
    StepStarted,
    Synced,
    SyncPlanned,
    Waiting,
)
from provision.report.amounts import is_change

if TYPE_CHECKING:
    from provision.events import Event
    from provision.model.plan import Finding
    from provision.model.sync import SyncPlan

_PATHS = 200
"""Paths of each kind that the log of a sync names."""


def text_of(event: Event) -> str:  # noqa: C901, PLR0911, PLR0912 - one line for each kind of event
    """Return the entry for an event: its first line, and more where there is more."""
    match event:
        case HostStarted(target=target):
            return f"started {target}"
        case Connected(seconds=seconds):
            return f"connected in {seconds:.3f} s"
        case Note(text=text):
            return f"note: {text}"
        case Probed(facts=facts, seconds=seconds):
            return "\n".join((f"facts read in {seconds:.3f} s", *(f"problem: {one}" for one in facts.problems)))
        case Planned(plan=plan, final=final):
            head = "planned, after the steps" if final else "planned"
            steps = [f"{'+' if is_change(one) else '?'} {one.name} ({one.reason})" for one in plan.steps]
            return "\n".join((f"{head}: {len(steps)} steps", *steps, *_findings(plan.findings)))
        case Waiting(reason=reason):
            return f"waiting: {reason}"
        case StepStarted(step=step, number=number, total=total):
            return f"step {number}/{total} {step.name} ({step.reason})"
        case StepOutput(line=line):
            return f"> {line}"
        case StepFinished(step=step, seconds=seconds, ok=ok):
            return f"step {step.name} {'done' if ok else 'FAILED'} in {seconds:.3f} s"
        case CommandRan(program=program, code=code, seconds=seconds):
            ended = "link lost, outcome unknown" if code is None else f"exit {code}"
            return f"$ {program}: {ended} in {seconds:.3f} s"
        case LinkLost(reason=reason):
            return f"link lost: {reason}"
        case SyncPlanned(plan=plan):
            return "\n".join(_sync_plan(plan))
        case Synced(result=result):
            head = "synced, nothing to do" if result.up_to_date else f"synced, {result.wire_bytes} bytes over the wire"
            return "\n".join((head, *(f"kept {path} at {where}" for path, where in result.kept)))
        case JobLaunched(job=job, again=again):
            return f"job {job.record.id} {'had been launched' if again else 'launched'}: {' '.join(job.record.command)}"
        case JobChanged(state=state):
            return f"job {state.state}"
        case Judged(findings=findings):
            return "\n".join((f"judged: {len(findings)} findings", *_findings(findings)))
        case HostFinished():
            return "\n".join(_end(event))
        case _:
            return ""


def _sync_plan(plan: SyncPlan) -> list[str]:
    """Return what a sync is to do; of a long list the beginning: a first upload has every file."""
    lines = [f"sync of {plan.files} files to {plan.tree}: {len(plan.sent)} to send ({plan.bytes} bytes)"]
    for mark, paths in (("+", plan.sent), ("-", plan.removed), ("changed there:", plan.kept)):
        lines += [f"{mark} {one}" for one in paths[:_PATHS]]
        lines += [f"{mark} ... {len(paths) - _PATHS} more"] if len(paths) > _PATHS else []
    return lines


def _findings(findings: tuple[Finding, ...]) -> list[str]:
    return [
        f"{one.severity.value} {one.code}: {one.message}" + (f" -> {one.fix}" if one.fix else "") for one in findings
    ]


def _end(event: HostFinished) -> list[str]:
    lines = [f"finished: {event.outcome.value}"]
    failure = event.failure
    if failure is not None:
        lines.append(f"{failure.kind} (exit {failure.exit_code}): {failure.message}")
        lines += [f"hint: {failure.hint}"] if failure.hint else []
        lines += [f"known pitfall {one.id}: {one.cause}" for one in failure.known]
        lines += (failure.detail or "").splitlines()
    if event.left:
        lines.append(f"not done: {', '.join(event.left)}")
    return lines
