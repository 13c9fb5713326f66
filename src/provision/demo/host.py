"""The embedded host as the demo sees it: started in a folder, reached over SSH, gone at the end."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.demo.keys import AUTHORIZED, HOST, write_pair
from provision.demo.server import LOOPBACK
from provision.errors import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

END_SECONDS = 15.0


@dataclass
class EmbeddedHost:
    """A running host; ``key`` is the private key that it lets in."""

    user: str
    port: int
    key: Path
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, folder: Path, key: Path, user: str, environment: Mapping[str, str]) -> EmbeddedHost:
        """Start a host whose files are all in ``folder`` (created), and which lets in ``key`` (created).

        Raises:
            StepFailedError: it did not start; what it said is shown.
        """
        folder.mkdir(mode=0o700)
        (folder / AUTHORIZED).write_text(write_pair(key))
        write_pair(folder / HOST)
        log = folder / "server.log"
        with log.open("w") as complaints:
            process = subprocess.Popen(
                [sys.executable, "-m", "provision.demo.machine", str(folder), user],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                env=dict(environment),
                cwd=folder,
                # Ctrl-C in the terminal is for the demo, which ends the host when all is done.
                start_new_session=True,
            )
        host = cls(user, 0, key, process)
        said = process.stdout.readline() if process.stdout else ""
        if not said.strip().isdigit():
            host.end()
            raise StepFailedError("the embedded host did not start", detail=log.read_text(errors="replace"))
        host.port = int(said)
        return host

    @property
    def login(self) -> str:
        """The ssh command that reaches it."""
        return f"ssh -p {self.port} -i {self.key} {self.user}@{LOOPBACK}"

    def end(self) -> None:
        """Have it end every process that runs on it, and itself."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
