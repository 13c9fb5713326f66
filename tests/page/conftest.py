"""One browser for all tests of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.page.browser import Browser, executable

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that is started once."""
    program = executable()
    if program is None:
        pytest.fail("there is no chromium here: sh .ci/packages installs it")
    one = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield one
    one.close()
