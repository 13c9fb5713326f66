"""Several Python versions on one host."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from provision.demo.standin.channel import Channel, build_channel
from provision.demo.standin.interpreter import describe, pyenv
from tests.environment.site import inside, told
from tests.standin.conftest import alone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.laptop import Laptop
    from tests.environment.site import Site

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def two_pythons(shared: Path, site: Site) -> Channel:
    del site
    other = [one for one in pyenv("3.10", "3.12") if one.short != describe().short][:1]
    if not other:
        pytest.skip("this machine has one Python only")
    target = shared / "two-pythons"
    with alone(shared):
        shutil.rmtree(target, ignore_errors=True)
        return build_channel(target, numpy=False, cache=shared / "cache", pythons=[describe(), *other])


def test_environments_with_two_python_versions_stand_on_one_host(
    site: Site, laptop: Laptop, two_pythons: Channel
) -> None:
    shutil.copytree(two_pythons.path, site.folder / "served/pythons", copy_function=os.link)
    versions = [".".join(one.split(".")[:2]) for one in two_pythons.pythons]
    site.root("26.7.1")
    box = site.host("box")
    laptop.hosts([box])
    files = {f"py{one.replace('.', '')}": f"py{one}.yml" for one in versions}
    (laptop.project / "provision.yaml").write_text(
        "environments: {" + ", ".join(f"{name}: {file}" for name, file in files.items()) + "}\n"
    )
    for (name, file), version in zip(files.items(), versions, strict=True):
        (laptop.project / file).write_text(
            f"name: {name}\nchannels: ['{site.web.url}/pythons']\n"
            f"dependencies: [python={version}, pip, standin-alpha]\n"
        )
    laptop.playbook(*({"environment": {"name": name}} for name in files), miniconda=site.adopting())
    answer = laptop.type("up", "--json")
    assert answer.code == 0, answer
    for name, version in zip(files, versions, strict=True):
        code = "import sys, standin_alpha; print('%d.%d' % sys.version_info[:2])"
        assert inside(box, code, f".provision/envs/mymodel/{name}") == version
    assert told(laptop.type("up", "--json"))["outcome"] == "converged"
    assert laptop.type("verify").code == 0
