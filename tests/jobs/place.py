"""A user with a project under git, and one host to run its jobs on."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.ssh.reach import inventory
from tests.sync.trees import git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.host import LabHost
    from tests.unit.cli.typed import Answer, Desk

LONGEST = 60.0
_ID = re.compile(r"[a-z][a-z2-7]{5}")


@dataclass
class Place:
    """Where jobs are typed, and where they run."""

    desk: Desk
    host: LabHost

    @property
    def project(self) -> Path:
        """The project's root here."""
        return self.desk.project

    def run(self, *words: str) -> Answer:
        """Type `provision run WORDS`."""
        return self.desk.type("run", *words)

    def shell(self, text: str, *options: str) -> Answer:
        """Run a line of shell as a job, and follow it."""
        return self.run(*options, "--", "sh", "-c", text)

    def detached(self, text: str, *options: str) -> str:
        """Launch a line of shell as a job, and return its id."""
        answer = self.shell(text, "--detach", *options)
        assert answer.code == 0, answer
        job = answer.out.strip()
        assert _ID.fullmatch(job), answer
        return job

    def typed(self, *words: str) -> list[str]:
        """Return the command line of `provision WORDS`."""
        return [sys.executable, "-m", "provision", *words]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Type a command, and do not wait for its end; its two streams are apart."""
        return subprocess.Popen(
            self.typed(*words),
            cwd=self.project,
            env=self.desk.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def folder(self, job: str) -> str:
        """Return the job's folder on the host."""
        return f"{self.host.home}/.provision/jobs/{job}"

    def read(self, path: str) -> bytes:
        """Return the bytes of a file on the host."""
        place = self.host.root / path.lstrip("/")
        return place.read_bytes()

    def on_host(self, text: str) -> str:
        """Run a line of shell on the host without ssh, as the login user."""
        return str(self.host.run(text, user=self.host.user, check=True).stdout)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return what `provision jobs --json` says, by id."""
        answer = self.desk.type("jobs", "--all", "--json")
        assert answer.code == 0, answer
        return {one["id"]: one for one in json.loads(answer.out)["jobs"]}

    def state(self, job: str) -> str:
        """Return a job's state."""
        return str(self.jobs()[job]["state"])

    def until_state(self, job: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of these states, and return what is said of it."""
        deadline = time.monotonic() + LONGEST
        while True:
            told = self.jobs()[job]
            if told["state"] in states:
                return told
            assert time.monotonic() < deadline, told
            time.sleep(0.2)

    def processes_of(self, job: str) -> list[str]:
        """Return the command lines on the host of all processes that have the job's mark."""
        found = []
        for process in self.host.processes():
            try:
                environ = (self.host.root / f"proc/{process.pid}/environ").read_bytes()
            except OSError:
                continue
            if f"PROVISION_JOB={job}".encode() in environ.split(b"\0"):
                found.append(process.command)
        return found


def made(desk: Desk, host: LabHost, **settings: object) -> Place:
    """Make the project, and say how the host is reached."""
    (desk.project / ".git").rmdir()
    git(desk.project, "init", "-q")
    (desk.project / ".gitignore").write_text("hosts.yaml\n")
    (desk.project / "train.py").write_text("print('one')\n")
    inventory(desk, host, settings={host.name: settings})
    return Place(desk, host)


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def closed(process: subprocess.Popen[bytes]) -> bytes:
    """Close the streams of a command that has ended, and return what is left of its stderr."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        return process.stderr.read()


def interrupt(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Press Ctrl-C, and return how the command ended."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LONGEST)
    return process.returncode, out.decode(), err.decode()


def script(*lines: str) -> str:
    """Return lines of shell as one text."""
    return "\n".join(lines)


def quoted(words: list[str]) -> str:
    """Return words for a line of shell."""
    return " ".join(map(shlex.quote, words))


def environ_of(place: Place, pid: int) -> dict[bytes, bytes]:
    """Return the variables of a process on the host."""
    data = (place.host.root / f"proc/{pid}/environ").read_bytes()
    return dict(one.partition(b"=")[::2] for one in data.split(b"\0") if one)


def fs(text: bytes) -> str:
    """Return bytes as an argument of a typed command."""
    return os.fsdecode(text)
