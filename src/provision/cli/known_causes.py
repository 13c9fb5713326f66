"""What failed is compared with the pitfalls that are known, once it has failed: a good run reads none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import KnownCause, StepFailedError, UnfitError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from provision.errors import ProvisionError


def add_known_causes(error: ProvisionError, inventory: Path | None) -> None:
    """Note at an error the known pitfalls that its text shows; those of a pitfalls.yaml beside the inventory too."""
    if not isinstance(error, StepFailedError | UnfitError):
        return
    from provision.inventory.location import check_writers
    from provision.pitfalls import evidence, known, match, team_file

    text = f"{error.message}\n{error.detail or ''}"
    try:
        team = team_file(inventory)
        if team is not None:
            check_writers(team, "its lines are meant to be copied")
        pitfalls = known(team)
    except UsageError as bad:
        # It must not hide the failure that it was asked about.
        pitfalls = known()
        error.detail = "\n".join((f"not used: {bad.message}", *([error.detail] if error.detail else [])))
    error.known = tuple(
        KnownCause(one.id, one.cause, one.fix, evidence(text, one)) for one in match(text, pitfalls, error.message)
    )
