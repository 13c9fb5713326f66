"""The changes of a migration, as lines for people and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.environment.migrate_target import Change


def change_lines(changes: Sequence[Change], target: str) -> Iterator[str]:
    """Yield what differs, each line with its reason."""
    if not changes:
        yield f"nothing has to change for {one_line(target)}"
        return
    number = len(changes)
    yield f"{number} line{'s' if number > 1 else ''} for {one_line(target)}:"
    for one in changes:
        before, after = (one_line(text) if text is not None else None for text in (one.before, one.after))
        if before is None:
            yield f"  + {after}"
        elif after is None:
            yield f"  - {before}"
        else:
            yield f"  {before} -> {after}"
        yield f"      {one_line(one.why)}"


def change_fields(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return them for --json."""
    return [{"before": one.before, "after": one.after, "why": one.why} for one in changes]
