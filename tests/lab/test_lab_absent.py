"""Where no laboratory can be made its tests are skipped with a reason, except in CI."""

from __future__ import annotations

import pytest

from tests.lab import controller


@pytest.fixture(autouse=True)
def ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)


def test_an_ordinary_user_skips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="laboratory needs"):
        request.getfixturevalue("lab")


def test_in_ci_an_ordinary_user_fails(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="must not skip"):
        request.getfixturevalue("lab")


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(controller, "sys", type("linux", (), {"platform": "linux"}))
    monkeypatch.setattr(controller, "which", lambda name: None if name == "nft" else name)
    assert controller.why_not() == "the laboratory needs nft on the PATH"
