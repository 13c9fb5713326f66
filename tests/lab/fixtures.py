"""Fixtures of the laboratory; loaded by tests/conftest.py."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.lab import controller
from tests.lab.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.host import LabHost


def pytest_sessionstart() -> None:
    """Leave the machine's network before the first test, so that it never depends on the order of tests."""
    if controller.why_not() is None:
        controller.enter_laboratory()


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A laboratory that ends with the test; needs root on Linux, and in CI its absence is a failure."""
    reason = controller.why_not()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; CI has both and must not skip this")
        pytest.skip(reason)
    with Lab(controller.enter_laboratory()) as laboratory:
        yield laboratory


@pytest.fixture
def host(lab: Lab) -> LabHost:
    """One plain host: a user without sudo, bash, no delay."""
    return lab.host("box")
