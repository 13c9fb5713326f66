"""The processes of one running host: a supervisor under unshare, whose death ends everything it started."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.init import Settings

PROJECT = Path(__file__).parents[2]
UNSHARE = ("unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child")
DEADLINE = 30.0
"""Seconds within which a host must be up; a slow CI machine gets there in one or two."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One boot of one host."""

    unshare: subprocess.Popen[str]
    init: int
    """The supervisor's process id here."""
    ended: set[tuple[int, str]]
    """The processes that the host had when its end began, each with the time of its start."""

    @classmethod
    def start(cls, settings: Settings, log: Path) -> Machine:
        """Start the supervisor in namespaces of its own and wait until its mounts are made."""
        module = "tests.lab.nspawn" if settings.systemd else "tests.lab.init"
        process = start_module(module, settings._asdict(), log, UNSHARE)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        init = int(children[0])
        return cls(process, init, set())

    def order(self, line: str) -> None:
        """Send the supervisor one line."""
        if self.unshare.stdin is not None:
            self.unshare.stdin.write(f"{line}\n")
            self.unshare.stdin.flush()

    def end(self) -> None:
        """End the lifeline and wait until no process of the host is left."""
        self.ended.update((pid, _started(pid)) for pid in (self.init, *descendants(self.init)))
        close(self.unshare)
        wait_until(lambda: not self.survivors(), f"a process of the host {self.survivors()} survives")

    def survivors(self) -> list[int]:
        """Return the ids of the host's processes that outlived its end: none, ever."""
        return [pid for pid, started in self.ended if started and _started(pid) == started]


def start_module(
    module: str, settings: dict[str, object], log: Path, prefix: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """Start a program of this package with a lifeline on its input; return when it has said that it is up."""
    with log.open("a") as errors:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-S", "-E", "-m", module, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=PROJECT,
        )
    answer = process.stdout.readline() if process.stdout is not None else ""
    if answer != "up\n":
        close(process)
        raise OSError(f"{module} did not start: {log.read_text()[-2000:]}")
    return process


def close(process: subprocess.Popen[str]) -> None:
    """End a program's lifeline and wait for it; one that does not answer is killed with all its children."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def process_ids() -> list[int]:
    """Return the ids of all processes that this process can see."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def wait_until(condition: Callable[[], bool], message: str, seconds: float = DEADLINE) -> None:
    """Poll until `condition` holds; raises TimeoutError with `message`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(message)
        time.sleep(0.003)


def leader(supervisor: int) -> int | None:
    """Return the systemd that is number 1 in the process namespace below a supervisor's, once it runs."""
    for pid in descendants(supervisor):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            continue
        numbers = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
        if len(numbers) > 2 and numbers[-1] == "1" and name == "systemd":
            return pid
    return None


def descendants(pid: int) -> list[int]:
    """Return the ids of the children of a process, their children, and so on."""
    found = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        except OSError:
            continue
        numbers = [int(child) for child in children]
        found += numbers
        waiting += numbers
    return found


def _started(pid: int) -> str:
    try:
        about = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return about.rpartition(")")[2].split()[19]
