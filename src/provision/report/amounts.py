"""How much there is to do, counted alike in the plan, on the way and in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.model.plan import Step


def counted(number: int, noun: str) -> str:
    """Return ``1 step``, ``2 steps``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def is_change(step: Step) -> bool:
    """Return whether a step changes the host, as far as it is known: the others are checks."""
    return step.changed


def amounts(steps: Sequence[Step]) -> str:
    """Return ``5 changes and 1 check``, or nothing for no steps."""
    changes = sum(1 for one in steps if is_change(one))
    checks = len(steps) - changes
    parts = [counted(changes, "change")] if changes else []
    parts += [counted(checks, "check")] if checks else []
    return " and ".join(parts)
