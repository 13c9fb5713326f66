"""A site for each module, with condas that hosts can adopt at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.environment.site import ROOTS, Site, serve
from tests.lab import controller
from tests.lab.lab import Lab
from tests.standin.conftest import channel, install, installers, shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.demo.standin.channel import Channel
    from tests.end_to_end.laptop import Laptop
    from tests.standin.conftest import Installers

__all__ = ["channel", "installers", "shared"]


@pytest.fixture(scope="session")
def roots(installers: Installers) -> dict[str, Path]:
    class Lazy(dict[str, Path]):
        def __missing__(self, version: str) -> Path:
            done = install(installers[version], ROOTS / version)
            assert done.status == 0, done
            self[version] = ROOTS / version
            return self[version]

    return Lazy()


@pytest.fixture(scope="module")
def site(
    channel: Channel,
    installers: Installers,
    roots: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """A laboratory that lives as long as the module's tests."""
    reason = controller.why_not()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; CI has both and must not skip this")
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("site")
    with Lab(controller.enter_laboratory()) as lab:
        web = serve(folder / "served", channel, installers, lab)
        yield Site(lab, web, channel, installers, folder, roots)


@pytest.fixture
def typist(site: Site, laptop: Laptop) -> Laptop:
    """A laptop whose playbook builds an environment with the image's conda, and judges the GPUs."""
    laptop.playbook({"environment": {}}, {"gpu": {}}, miniconda=site.adopting())
    return laptop


@pytest.fixture
def laptop(site: Site) -> Iterator[Laptop]:
    """A new user's machine; the web server is whole again afterwards."""
    yield site.laptop()
    site.web.heal()
