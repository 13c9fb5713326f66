"""Drift in words: a package, a moment, how long ago."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.environment.drift import Change, Damage
    from provision.environment.drift_baseline import Build

SHOWN = 20
"""Packages that are named one by one; `provision env diff` names them all."""


def when(seconds: int | None) -> str | None:
    """Return a moment as ``2026-11-20 06:12 UTC``; ``None``: there is none, or no calendar has it."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return None


def said(change: Change, since: int | None = None) -> str:
    """Return one changed package as a message says it."""
    at = when(since)
    moment = f", on {at}" if at else ""
    was, now = change.was, change.now
    if was is None and now is not None:
        return f"{now.name} {now.shown} was installed by {now.by}{moment}"
    if now is None and was is not None:
        return f"{was.name} {was.shown} ({was.by}) was removed"
    assert was is not None  # noqa: S101 - a change has a side
    assert now is not None  # noqa: S101 - as above
    if was.shown == now.shown:
        return f"{now.name} {now.shown} ({now.by}) is another archive of that name{moment}"
    return f"{now.name} was {was.shown} and is {now.shown} ({now.by}){moment}"


def went(change: Change) -> str:
    """Return one changed package as a switch from one build to another says it."""
    was, now = change.was, change.now
    if was is not None and now is not None:
        return f"{now.name} {was.shown} -> {now.shown} ({now.by})"
    side = now if now is not None else was
    assert side is not None  # noqa: S101 - a change has a side
    return f"{'+' if now is not None else '-'} {side.name} {side.shown} ({side.by})"


def damage_said(one: Damage) -> str:
    """Return a package that lacks files as a message says it."""
    example = f", such as {one.example}" if one.example else ""
    return f"{one.name} {one.version} lacks {one.missing} of its {one.files} files{example}"


def drift_lines(changes: Sequence[Change], build: Build, damage: Sequence[Damage] = ()) -> tuple[str, ...]:
    """Return every difference between a build and what is there now, a line each, the first `SHOWN` of them."""
    lines = [said(one, build.since_of(one.now) if one.now else None) for one in changes]
    lines += [damage_said(one) for one in damage]
    more = len(lines) - SHOWN
    return (*lines[:SHOWN], f"and {more} more") if more > 0 else tuple(lines)
