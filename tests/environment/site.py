"""A laboratory with a laptop and a web server that a whole module of tests shares."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.end_to_end.laptop import Laptop

if TYPE_CHECKING:
    from provision.demo.standin.channel import Channel
    from tests.end_to_end.laptop import Answer
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.lab.webserver import WebServer
    from tests.standin.conftest import Installers

ROOTS = Path("/srv/conda")
"""Below the laboratory's own tmpfs: only this process and its hosts see it, and it ends with them."""

BASE = ".provision/envs/mymodel/mymodel"
ROOMY = 64 << 30
"""What the real PyTorch would need; the disk takes only what is written to it."""
RECORDED = Path(__file__).parents[1] / "golden/nvidia_smi"


@dataclass
class Site:
    """Where the tests of one module take place; each test takes a laptop of its own."""

    lab: Lab
    web: WebServer
    channel: Channel
    installers: Installers
    folder: Path
    roots: dict[str, Path]
    """Installed condas by version, as an image's builder leaves them: owned by root, seen by hosts below /opt."""
    _laptops: list[Laptop] = field(default_factory=list)

    def laptop(self) -> Laptop:
        """Return a new user's machine with a playbook and an environment file."""
        laptop = Laptop(self.folder / f"home{len(self._laptops)}", self.web, self.installers["26.7.1"])
        self._laptops.append(laptop)
        laptop.playbook({"environment": {}})
        laptop.environment_yml("python", "pip", "standin-alpha=1")
        return laptop

    def host(self, name: str = "box", **knobs: Any) -> LabHost:
        """Start a host that has every asked for conda below /opt, read-only."""
        # The whole folder: what is installed there later is seen too.
        ROOTS.mkdir(parents=True, exist_ok=True)
        return self.lab.host(name, binds=((ROOTS, str(ROOTS)), *knobs.pop("binds", ())), **knobs)

    def adopting(self, version: str = "26.7.1") -> dict[str, object]:
        """Return the playbook's words for the conda that the image brought."""
        return {"prefix": str(self.root(version))}

    def root(self, version: str) -> Path:
        """Return where that conda stands, here and on hosts."""
        return self.roots[version]


def serve(folder: Path, channel: Channel, installers: Installers, lab: Lab) -> WebServer:
    """Serve the channel, its wheels and the newest installer on the laboratory's network."""
    shutil.copytree(channel.path, folder, copy_function=os.link)
    shutil.copytree(channel.simple, folder / "simple", copy_function=os.link)
    installer = installers["26.7.1"]
    os.link(installer.path, folder / installer.path.name)
    return lab.serve(folder)


def told(answer: Answer, name: str = "box") -> Any:
    """Return what the JSON document says of one host."""
    return answer.document["hosts"][name]


def codes(answer: Answer, name: str = "box") -> list[str]:
    """Return the codes of a host's findings."""
    return [one["code"] for one in told(answer, name)["findings"]]


def current(box: LabHost, base: str = BASE) -> str:
    """Return the name of the current generation, empty where there is none."""
    return box.run(f"readlink {box.home}/{base}/current").stdout.strip()


def inside(box: LabHost, code: str, base: str = BASE) -> str:
    """Return what the current environment's Python prints."""
    done = box.run([f"{box.home}/{base}/current/bin/python", "-c", code], user=box.user)
    return (done.stdout + done.stderr).strip()
