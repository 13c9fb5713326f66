"""A project with channels, and a user's empty home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.notify import sending

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Path]:
    """Return the root of a project with this below `notify:`."""
    root = tmp_path / "mymodel"

    def write(section: str) -> Path:
        root.mkdir(exist_ok=True)
        (root / "provision.yaml").write_text(f"notify:\n{section}", encoding="utf-8")
        return root

    return write


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between attempts."""
    monkeypatch.setattr(sending, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(sending, "LONGEST_WAIT", 0.01)
