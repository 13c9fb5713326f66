"""Jobs that their supervisor runs: it is started on a folder that the test makes, as the launcher makes it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import struct
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.remote.sources import source
from tests.scripts.launch_client import PATIENCE
from tests.scripts.shells import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RUN = struct.Struct(">QQ")
BEGIN = 'if __name__ == "__main__" and len(sys.argv) > 1:'
RESERVE = 64 << 10
NVIDIA_SMI = Path(__file__).parents[1] / "lab" / "recorded_nvidia_smi.sh"
CARDS = ("GPU-0000000a", "GPU-0000000b")
MEASURED = "uuid, utilization.gpu [%], memory.used [MiB], memory.total [MiB], power.draw [W], temperature.gpu"


def new_id() -> str:
    """Return an id that no other test has: a supervisor ends all processes with the mark of its job."""
    return "q" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(5))


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass
class Site:
    """A state folder, a tree, and recorded GPUs."""

    home: Path
    supervisors: list[subprocess.Popen[bytes]] = field(default_factory=list)
    tickets: int = 0

    def __post_init__(self) -> None:
        for name in ("jobs", "queue", "gpus"):
            (self.state / name).mkdir(parents=True, mode=0o700)
        self.tree.mkdir(parents=True)
        self.recording.mkdir()
        self.bin.mkdir()
        (self.bin / "nvidia-smi").write_text(NVIDIA_SMI.read_text())
        (self.bin / "nvidia-smi").chmod(0o755)
        self.use({})

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def tree(self) -> Path:
        return self.home / "tree"

    @property
    def bin(self) -> Path:
        return self.home / "bin"

    @property
    def recording(self) -> Path:
        return self.home / "recording"

    def use(
        self, memory: Mapping[str, str], processes: Sequence[tuple[str, int, str]] = (), cards: Any = CARDS
    ) -> None:
        """Record what nvidia-smi says: the memory in use by card, and processes by card."""
        lines = [f"{card}, 37 %, {memory.get(card, '1 MiB')}, 81559 MiB, 301.50 W, 45" for card in cards]
        self.say("query-gpu", [MEASURED, *lines])
        self.say("query-compute-apps", ["gpu_uuid, pid, process_name", *(f"{a}, {b}, {c}" for a, b, c in processes)])

    def say(self, name: str, lines: Sequence[str]) -> None:
        draft = self.recording / f".{name}"
        draft.write_text("".join(f"{line}\n" for line in lines))
        draft.rename(self.recording / f"{name}.csv")

    def make(self, *command: str, env: Mapping[str, str] | None = None, cards: Any = (), **more: Any) -> Job:
        """Make the folder of a job, with its place in the row where it needs GPUs."""
        name = new_id()
        job = Job(self, name)
        job.folder.mkdir(mode=0o700)
        record = {
            "format": 1,
            "id": name,
            "command": command,
            "cwd": "",
            "tree": str(self.tree),
            "snapshot": None,
            "environment": None,
            "gpus": None,
            "max_time": None,
            "grace": 5,
            "cards": [{"index": number, "uuid": uuid, "name": "H100"} for number, uuid in enumerate(cards)],
            "boot_id": boot_id(),
            "uptime": float(Path("/proc/uptime").read_text().split()[0]),
            **more,
        }
        variables = {"PATH": os.environ["PATH"], "PROVISION_JOB": name, **(env or {})}
        (job.folder / "job.json").write_text(json.dumps(record))
        (job.folder / "env").write_text(json.dumps(list(variables.items())))
        (job.folder / "alive").touch()
        (job.folder / "reserve").write_bytes(os.urandom(RESERVE))
        if record["gpus"]:
            self.tickets += 1
            (self.state / "queue" / f"{self.tickets:012d}-{name}").touch()
        return job

    def run(self, *command: str, **more: Any) -> Job:
        """Run a job to its end."""
        job = self.make(*command, **more)
        job.start()
        job.wait()
        return job

    def end(self) -> None:
        for one in self.supervisors:
            one.kill()
            one.wait()


@dataclass
class Job:
    """One job."""

    site: Site
    name: str

    @property
    def folder(self) -> Path:
        return self.site.state / "jobs" / self.name

    def start(
        self, *words: str, prologue: str = "", preexec: Any = None, pause: bool = True, **variables: str
    ) -> subprocess.Popen[bytes]:
        """Start a supervisor; `prologue` is run when all is defined. Waits for its first word."""
        head, last, tail = source("supervise_job.py").rpartition(BEGIN)
        program = self.site.home / f"supervise-{self.name}.py"
        if prologue or not program.exists():
            program.write_text(head + prologue + "\n" + last + tail)
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(program), str(self.folder), *words],
            stdin=subprocess.DEVNULL,
            env={
                "PATH": f"{self.site.bin}:{os.environ['PATH']}",
                "RECORDED_NVIDIA_SMI": str(self.site.recording),
                **variables,
            },
            preexec_fn=preexec,  # noqa: PLW1509 - these tests start no threads
        )
        self.site.supervisors.append(process)
        if pause and not words:
            assert eventually(lambda: self.said("state") is not None or self.said("end") is not None, PATIENCE)
        return process

    def said(self, name: str) -> Any:
        try:
            return json.loads((self.folder / f"{name}.json").read_text())
        except FileNotFoundError:
            return None

    def state(self) -> Any:
        return self.said("state")

    def wait(self) -> Any:
        """Return how it ended."""
        assert eventually(lambda: self.said("end") is not None, PATIENCE), list(self.folder.iterdir())
        return self.said("end")

    def ended(self) -> tuple[Any, ...]:
        end = self.wait()
        return tuple(end[name] for name in ("state", "exit_code", "signal", "reason"))

    def ask_to_stop(self, grace: float = 5) -> None:
        draft = self.folder / ".stop-draft"
        draft.write_text(json.dumps({"grace": grace, "by": "me@laptop"}))
        draft.rename(self.folder / "stop")

    def stop(self, grace: float = 5) -> Any:
        """Stop it as the program for that does; return how it ended."""
        self.ask_to_stop(grace)
        self.signal(signal.SIGTERM)
        return self.wait()

    def signal(self, number: int) -> None:
        os.kill(self.state()["pid"], number)

    def runs(self) -> list[tuple[int, bytes]]:
        """Return stream and bytes of what is in the log, neighbours of one stream together."""
        log, index = (self.folder / "log").read_bytes(), (self.folder / "log.index").read_bytes()
        records = [RUN.unpack_from(index, at) for at in range(0, len(index) - RUN.size + 1, RUN.size)]
        assert all(abs(moment / 1000 - time.time()) < 600 for moment, _ in records)
        starts = [(value >> 2, value & 3) for _, value in records if value >> 2 < len(log)]
        assert not log or starts[0][0] == 0
        found: list[tuple[int, bytes]] = []
        for (start, stream), (stop, _) in zip(starts, [*starts[1:], (len(log), 0)], strict=True):
            if found and found[-1][0] == stream:
                found[-1] = (stream, found[-1][1] + log[start:stop])
            elif stop > start:
                found.append((stream, log[start:stop]))
        return found

    def printed(self, stream: int = 1) -> bytes:
        """Return what came by one stream: 0 stdout, 1 stderr, 2 notes."""
        return b"".join(data for one, data in self.runs() if one == stream)

    def prints(self, text: bytes) -> bool:
        """Return whether it prints this sooner or later."""

        def is_there() -> bool:
            with contextlib.suppress(FileNotFoundError):
                return text in (self.folder / "log").read_bytes()
            return False

        return eventually(is_there, PATIENCE)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextlib.contextmanager
def made_site(folder: Path) -> Iterator[Site]:
    """Make a site whose supervisors end with the test."""
    site = Site(folder / "home")
    try:
        yield site
    finally:
        site.end()


def script(text: str) -> tuple[str, str, str]:
    """Return the command that runs a Python text."""
    return (sys.executable, "-c", textwrap.dedent(text))


def sleep(seconds: float = 600) -> tuple[str, ...]:
    return ("sleep", str(seconds))
