"""No test here waits for real."""

from __future__ import annotations

import pytest

from provision.engine import converge


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converge, "WAIT_PAUSE", 0.001)
    monkeypatch.setattr(converge, "REGAIN_SECONDS", 0.3)
    monkeypatch.setattr(converge, "LEFTOVER_SECONDS", 0.05)
