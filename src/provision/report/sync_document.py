"""What the JSON document says of a sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.decode.surrogates import encodable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.sync import Question, SyncPlan, SyncResult
    from provision.report.fold import HostReport, Report


def sync_fields(host: HostReport, report: Report) -> dict[str, Any]:
    """Return what a sync did; of one that broke or only foresaw: what it was to do is under ``files`` at most."""
    plan, done = host.sync, host.synced
    placed = plan if done is not None and not done.up_to_date else None
    fields = {
        "tree": encodable(host.tree),
        "up_to_date": host.good and (plan is None or (done is not None and done.up_to_date)),
        "sent": placed.travelling if placed else 0,
        "removed": len(placed.removed) - done.left if placed and done else 0,
        "bytes": placed.bytes if placed else 0,
        "resumed_bytes": placed.resumed if placed else 0,
        "wire_bytes": done.wire_bytes if done else 0,
        "kept": _kept(done) if done else [],
        "owner_before": encodable(plan.owner) if plan and plan.owner else None,
    }
    if report.foresees:
        fields["files"] = _foreseen(plan, report.left_out)
    return fields


def questions(asked: Iterable[Question]) -> list[dict[str, Any]]:
    """Return questions, each with the paths that it is about."""
    return [{"message": encodable(one.says), "paths": _texts(one.paths)} for one in asked]


def _kept(done: SyncResult) -> list[dict[str, Any]]:
    known = [(path, where, path not in done.strange) for path, where in done.kept]
    unknown = [(path, where, None) for path, where in done.earlier]
    return [
        {"path": encodable(path), "kept_at": encodable(where), "synced_before": synced}
        for path, where, synced in (*known, *unknown)
    ]


def _foreseen(plan: SyncPlan | None, left_out: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {
        "sent": _texts(plan.sent if plan else ()),
        "removed": _texts(plan.removed if plan else ()),
        "kept": _texts(plan.kept if plan else ()),
        "standing": _texts(plan.standing if plan else ()),
        "questions": questions(plan.questions if plan else ()),
        "left_out": [{"path": encodable(path), "rule": encodable(rule)} for path, rule in left_out],
    }


def _texts(texts: Iterable[str]) -> list[str]:
    return [encodable(one) for one in texts]
