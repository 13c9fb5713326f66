"""A host of each shell for every test of a script."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.scripts.shells import SHELLS, HostOfOneShell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostOfOneShell:
    """A host whose every `sh` is this shell."""
    if sys.platform != "linux":
        pytest.skip("the scripts run on Linux hosts")
    if shutil.which(request.param) is None:
        pytest.skip(f"there is no {request.param} here")
    return HostOfOneShell(tmp_path, request.param, monkeypatch)
