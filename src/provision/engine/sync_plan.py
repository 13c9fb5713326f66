"""What a sync of one host will do, put together from what the host says and what is here."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.engine import sync_limits
from provision.sync.delta import texts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from provision.model.sync import Origin, SyncPlan
    from provision.sync.answers import Answer, Foreseen
    from provision.sync.delta import Delta
    from provision.sync.manifest import Manifest


def planned(  # noqa: PLR0917 - the two sides and what lies between them
    answer: Answer,
    origin: Origin,
    host: Manifest,
    delta: Delta,
    target: Manifest | None,
    paths: Sequence[bytes],
    sizes: Sequence[int],
) -> SyncPlan:
    """Return the plan.

    Args:
        answer: What the host said.
        origin: Who syncs.
        host: What syncs left there.
        delta: What makes the target of it.
        target: The tree; ``None``: not all hashes are known, and there is nothing on the host.
        paths: All of the tree.
        sizes: Of what is sent, in its order.
    """
    resumed, parts = 0, 0
    if target is not None:
        resumed = sum(target.entry(path).size for path in delta.staged)
        # Content that goes to several paths travels once.
        large = {target.entry(path)[1:]: target.entry(path) for path in delta.send} if answer.partial else {}
        parts = sum(sync_limits.there_in_part(answer, entry) for entry in large.values())
    plan = delta.plan(answer.tree, len(paths), sum(sizes) - parts)
    return replace(
        plan,
        first=not answer.id and not answer.recovering,
        had=len(host),
        staged=len(delta.staged),
        resumed=resumed + parts,
        owner=sync_limits.other_owner(answer, origin),
    )


def met(plan: SyncPlan, foreseen: Foreseen, host: Collection[bytes]) -> SyncPlan:
    """Return the plan with what the host says that it would meet; `host` has the paths that syncs put there."""
    kept = set(plan.kept)
    standing = (path for path in texts(sorted(one for one in foreseen.aside if one not in host)) if path not in kept)
    staying = texts(foreseen.left)
    return replace(plan, standing=tuple(standing), staying=staying, adopted=foreseen.adopted)


def strangers(kept: Sequence[tuple[str, str]], host: Collection[bytes]) -> frozenset[str]:
    """Return the paths of what was kept aside that are none of those which syncs had put there."""
    if not kept:
        return frozenset()
    ours = set(map(os.fsdecode, host))
    return frozenset(path for path, _ in kept if path not in ours)
