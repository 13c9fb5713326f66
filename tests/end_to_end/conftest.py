"""A laptop, a web server with a channel and an installer, for every end-to-end test."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.laptop import Laptop
from tests.standin.conftest import channel, installers, shared

if TYPE_CHECKING:
    from pathlib import Path

    from provision.demo.standin.channel import Channel
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.standin.conftest import Installers

__all__ = ["channel", "installers", "shared"]


@pytest.fixture
def laptop(lab: Lab, channel: Channel, installers: Installers, tmp_path: Path) -> Laptop:
    """A user's machine whose project asks for a small environment."""
    installer = installers["26.7.1"]
    served = tmp_path / "served"
    shutil.copytree(channel.path, served, copy_function=os.link)
    shutil.copytree(channel.simple, served / "simple", copy_function=os.link)
    os.link(installer.path, served / installer.path.name)
    laptop = Laptop(tmp_path / "home", lab.serve(served), installer)
    laptop.playbook({"environment": {}})
    laptop.environment_yml("python", "pip", "standin-alpha=1")
    return laptop


@pytest.fixture
def git_box(lab: Lab, laptop: Laptop) -> LabHost:
    """A host, and a project under git that no sync has sent yet."""
    host = lab.host("gpu-box")
    laptop.hosts([host])
    (laptop.project / "train.py").write_text("print('one')\n")
    subprocess.run(["git", "init", "-q", str(laptop.project)], check=True)
    return host
