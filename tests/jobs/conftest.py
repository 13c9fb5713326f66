"""A place to run jobs: a plain host, or one with systemd whose logind ends what a session leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import size
from tests.jobs.place import Place, made
from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.lab import Lab

__all__ = ["size"]


@pytest.fixture
def place(lab: Lab, tmp_path: Path) -> Place:
    return made(Desk(tmp_path / "home"), lab.host("box"))


@pytest.fixture(params=["plain", "systemd"])
def any_place(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Place:
    """Each kind of host once; on the one with systemd no process outlives its session by itself."""
    systemd = request.param == "systemd"
    return made(Desk(tmp_path / "home"), lab.host("box", systemd=systemd, kill_user_processes=systemd))
