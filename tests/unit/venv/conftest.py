"""A project with a made venv, and a user's machine for typed commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.conftest import desk
from tests.unit.venv.made import MadeVenv, make_venv

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["desk"]


@pytest.fixture
def venv(tmp_path: Path) -> MadeVenv:
    """A venv called .venv in a project."""
    return make_venv(tmp_path / ".venv")
