"""A laptop, sizes for CI and for soak, and commands that are watched while they run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest

from tests.end_to_end.conftest import laptop
from tests.standin.conftest import channel, installers, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.end_to_end.laptop import Laptop
    from tests.faults.typed import Typed

__all__ = ["channel", "installers", "laptop", "shared"]

T = TypeVar("T")
SOAK = bool(os.environ.get("PROVISION_SOAK"))


class Size(Protocol):
    """Chooses between CI's size and the full one."""

    def __call__(self, reduced: T, full: T) -> T:
        """Return one of them."""


@pytest.fixture
def size() -> Size:
    """CI's size, or with PROVISION_SOAK=1 the full one."""

    def choose(reduced: T, full: T) -> T:
        return full if SOAK else reduced

    return choose


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process keep host keys in a home of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "inside"))
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def typed(laptop: Laptop) -> Iterator[Callable[..., Typed]]:
    """Type commands that are watched line by line; none of them outlives the test."""
    from tests.faults.typed import Typed

    running: list[Typed] = []

    def start(*words: str, **env: str) -> Typed:
        running.append(Typed(laptop.start(*words, **env)))
        return running[-1]

    yield start
    for one in running:
        one.kill()
