"""A user's machine in the laboratory: a home, a project, and `provision` typed as a command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provision.demo.standin.installer import Installer
    from tests.lab.host import LabHost
    from tests.lab.webserver import WebServer

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """How a typed command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on stdout."""
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


@dataclass
class Laptop:
    """A home folder with a project in it."""

    home: Path
    web: WebServer
    installer: Installer
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.project.mkdir(parents=True, exist_ok=True)
        (self.home / ".ssh").mkdir(mode=0o700, exist_ok=True)

    @property
    def project(self) -> Path:
        """The project's root."""
        return self.home / "mymodel"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a typed command: nothing of this machine's user gets in."""
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "USER": "dev",
            "PYTHONPATH": str(REPOSITORY / "src"),
            "PYTHONWARNINGS": "error",
            "LANG": "C.UTF-8",
            **self.env,
        }

    def type(self, *words: str, cwd: Path | None = None, stdin: str = "", timeout: float = 110, **env: str) -> Answer:
        """Type `provision WORDS...` in the project and wait for its end."""
        done = subprocess.run(
            [sys.executable, "-m", "provision", *words],
            cwd=cwd or self.project,
            env={**self.environment, **env},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        """Type a command without waiting for its end."""
        return subprocess.Popen(
            [sys.executable, "-m", "provision", *words],
            cwd=self.project,
            env={**self.environment, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End a typed command as a crash of the laptop does."""
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def hosts(self, hosts: Iterable[LabHost], settings: Mapping[str, Mapping[str, object]] | None = None) -> None:
        """Write hosts.yaml."""
        entries: dict[str, object] = {}
        for host in hosts:
            entries[host.name] = {
                "address": host.address,
                "user": host.user,
                "identity_file": str(host.key_path),
                **(settings or {}).get(host.name, {}),
            }
        text = json.dumps({"version": 1, "defaults": {"playbook": "training"}, "hosts": entries}, indent=1)
        (self.project / "hosts.yaml").write_text(text)

    def playbook(self, *tasks: Mapping[str, object], miniconda: Mapping[str, object] | None = None) -> None:
        """Write the project's playbook: the stand-in's installer from the web server, then the given tasks."""
        folder = self.project / "playbooks"
        folder.mkdir(exist_ok=True)
        entry = {
            "installer": f"{self.web.url}/{self.installer.path.name}",
            "sha256": self.installer.sha256,
            **(miniconda or {}),
        }
        text = json.dumps({"name": "training", "tasks": [{"miniconda": entry}, *tasks]}, indent=1)
        (folder / "training.yaml").write_text(text)

    def environment_yml(self, *dependencies: object, **more: object) -> None:
        """Write environment.yml with the laboratory's channel."""
        text = json.dumps({"name": "mymodel", "channels": [self.web.url], "dependencies": list(dependencies), **more})
        (self.project / "environment.yml").write_text(text)
