"""No test here waits for real."""

from __future__ import annotations

import pytest

from provision.engine import hold, settle


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "ASK_PAUSE", 0.001)
    monkeypatch.setattr(settle, "LOOK_PAUSE", 0.001)
    monkeypatch.setattr(hold, "REGAIN_SECONDS", 0.3)
    monkeypatch.setattr(settle, "LEFTOVER_SECONDS", 0.05)
