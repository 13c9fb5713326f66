"""A desk for every test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pull.near import Desk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A host's home beside a folder of the user's."""
    return Desk(tmp_path)
