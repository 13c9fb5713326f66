"""Fixtures that every test may use, and what belongs to `make soak` alone."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["tests.lab.fixtures"]


def pytest_configure() -> None:
    """Take signals as a terminal gives them: below `nohup`, or behind `&`, every child of ours would ignore them."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not os.environ.get("PROVISION_SOAK"):
        # Property tests that name no number of examples of their own take fewer here than in soak.
        settings.register_profile("reduced", max_examples=40)
        settings.load_profile("reduced")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the further sizes and variants to soak: each behaviour has a reduced one here, so none is skipped."""
    if os.environ.get("PROVISION_SOAK"):
        return
    further = [item for item in items if item.get_closest_marker("soak")]
    if further:
        config.hook.pytest_deselected(items=further)
        items[:] = [item for item in items if item not in further]
