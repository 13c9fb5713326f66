"""What failed is compared with the pitfalls that are known, once it has failed: a good run reads none of ours.

A team's own file is read before a run begins, for it may be wrong.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from provision.errors import StepFailedError, UnfitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from provision.errors import KnownCause, ProvisionError
    from provision.pitfalls import Pitfall

FILE_NAME = "pitfalls.yaml"
_DANGER = "its lines are meant to be copied"


def check_team_file(inventory: Path | None) -> None:
    """Read the pitfalls.yaml beside an inventory, where there is one.

    Raises:
        BadFileError: it cannot be taken; the message begins with ``file:line``.
    """
    # Not by `team_file`: where there is no such file, nothing that reads it is loaded.
    if inventory is not None and (inventory.absolute().parent / FILE_NAME).exists():
        all_known(inventory)


def all_known(inventory: Path | None) -> tuple[Pitfall, ...]:
    """Return the pitfalls of the team, if it has any, and the shipped ones.

    Raises:
        BadFileError: the team's file cannot be taken.
    """
    from provision.inventory.location import check_writers
    from provision.pitfalls import known, team_file

    team = team_file(inventory)
    if team is not None:
        check_writers(team, _DANGER)
    return known(team)


def add_known_causes(error: ProvisionError, inventory: Path | None) -> None:
    """Note at an error the known pitfalls that its text shows; those of a pitfalls.yaml beside the inventory too."""
    if not isinstance(error, StepFailedError | UnfitError):
        return
    from provision.pitfalls import match, shipped

    text = f"{error.message}\n{error.detail or ''}"
    try:
        pitfalls = all_known(inventory)
    except UsageError as bad:
        # It was right when the run began; its state now must not hide the failure that it was asked about.
        with suppress(UsageError):
            error.known = tuple(_causes(text, match(text, shipped(), error.message)))
        error.detail = "\n".join((f"not used: {bad.message}", *([error.detail] if error.detail else [])))
    else:
        error.known = tuple(_causes(text, match(text, pitfalls, error.message)))


def _causes(text: str, met: Sequence[Pitfall]) -> list[KnownCause]:
    from provision.errors import KnownCause
    from provision.pitfalls import evidence, shipped
    from provision.report.causes import TeamCause

    ours = shipped()
    return [(KnownCause if one in ours else TeamCause)(one.id, one.cause, one.fix, evidence(text, one)) for one in met]
