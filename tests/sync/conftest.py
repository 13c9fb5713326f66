"""Fixtures of the tests of sync."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home of its own, with nothing in it."""
    home = tmp_path / "own"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    for name in ("SSH_AUTH_SOCK", "XDG_STATE_HOME", "PROVISION_SSH_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return home
