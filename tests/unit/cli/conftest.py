"""A user's machine for every test of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A home with an empty project, which git knows."""
    return Desk(tmp_path / "home")
