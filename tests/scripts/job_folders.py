"""Folders of jobs as the launcher and the supervisor leave them, and a small client of the programs about them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from provision.remote.command import converse_line, script_text
from provision.remote.sources import source
from tests.scripts.launch_client import HEAD, NONCE, PATIENCE, request_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Self

RUN = struct.Struct(">QQ")
AT = struct.Struct(">QB")
SUPERVISOR = r"""
import fcntl, json, os, signal, subprocess, sys, time
folder, command, text = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
alive = os.open(folder + "/alive", os.O_RDWR)
fcntl.flock(alive, fcntl.LOCK_EX)
environment = dict(os.environ, PROVISION_JOB=os.path.basename(folder))
child = subprocess.Popen(command, env=environment, start_new_session=True)
started = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
def written(name, value):
    with open(folder + "/." + name, "w") as stream:
        json.dump(value, stream)
    os.rename(folder + "/." + name, folder + "/" + name)
def stop(*_):
    request = json.load(open(folder + "/stop"))
    if not request["grace"]:
        child.kill()
    else:
        child.terminate()
    child.wait()
    written("end.json", {"state": "stopped", "reason": "stop", "signal": "TERM", "message": request["by"],
                         "started": 1, "ended": time.time()})
    os._exit(0)
exec(text)
written("state.json", {"state": "running", "pid": os.getpid(), "starttime": started, "started": 1, "gpus": []})
while True:
    time.sleep(60)
"""
"""A small stand-in of the supervisor: it runs a command, and ends it when it is asked to by SIGTERM."""
OBEYS = "signal.signal(signal.SIGTERM, stop)"
STUCK = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass
class Jobs:
    """A state folder with jobs that the test makes, and a tree for their snapshots."""

    home: Path
    shell: str = "sh"

    def __post_init__(self) -> None:
        self.jobs.mkdir(parents=True, mode=0o700)
        (self.tree / ".provision" / "snapshots").mkdir(parents=True, mode=0o700)

    @property
    def jobs(self) -> Path:
        return self.home / ".provision" / "jobs"

    @property
    def tree(self) -> Path:
        return self.home / "work" / "project"

    def folder(self, job: str = "abcdef") -> Path:
        return self.jobs / job

    def snapshot(self, job: str = "abcdef") -> Path:
        return self.tree / ".provision" / "snapshots" / job

    def record(self, job: str = "abcdef", **more: Any) -> dict[str, Any]:
        return {
            "format": 1,
            "id": job,
            "nonce": "1" * 32,
            "name": None,
            "project": "project",
            "command": ["python", "train.py"],
            "cwd": "",
            "in_place": False,
            "tree": str(self.tree),
            "snapshot": str(self.snapshot(job)),
            "grace": 10,
            "user": None,
            "submitted": time.time() - 3600,
            "boot_id": boot_id(),
            "uptime": -100.0,
            "way": "session",
            "unit": None,
            **more,
        }

    def make(self, job: str = "abcdef", **more: Any) -> Path:
        """Make the folder of a job that nobody watches over."""
        folder = self.folder(job)
        folder.mkdir(mode=0o700)
        (folder / "alive").touch(mode=0o600)
        write(folder, "job.json", self.record(job, **more))
        return folder

    def make_ended(self, job: str = "abcdef", *, code: int = 0, ended: float | None = None, **more: Any) -> Path:
        folder = self.make(job, **more)
        end(folder, code, ended)
        return folder

    def copy(self, files: Mapping[str, bytes], job: str = "abcdef") -> None:
        """Make the snapshot of a job."""
        top, records = self.snapshot(job), []
        top.mkdir(parents=True)
        for name, content in files.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(content)
            status = (top / name).stat()
            records.append(b"%d %d %d %s" % (len(content), status.st_mtime_ns, status.st_ino, os.fsencode(name)))
        (self.folder(job) / "snapshot.list").write_bytes(b"".join(one + b"\0" for one in records))

    def start(self, name: str, request: Mapping[str, Any], prologue: str = "") -> Talk:
        """Start a program as sshd would, and send the request; `prologue` is run when all is defined."""
        head, last, tail = source(name).rpartition("spoken(main)")
        script = script_text(source("converse.sh"), ("~/.provision", head + prologue + last + tail))
        process = subprocess.Popen(
            [self.shell, "-c", converse_line(script, NONCE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"HOME": str(self.home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            start_new_session=True,
            bufsize=0,
        )
        assert process.stdin is not None
        process.stdin.write(request_bytes({"format": 1, "state_dir": "~/.provision", **request}))
        return Talk(process)

    def ask(self, name: str, prologue: str = "", **request: Any) -> Any:
        """Return the last word of a program, which must be an answer."""
        with self.start(name, request, prologue) as talk:
            kind, said = talk.last()
        assert kind == b"J", said
        return said

    def refused(self, name: str, prologue: str = "", **request: Any) -> Any:
        with self.start(name, request, prologue) as talk:
            kind, said = talk.last()
        assert kind == b"E", said
        return said

    @contextlib.contextmanager
    def supervised(self, *command: str, job: str = "abcdef", text: str = OBEYS) -> Iterator[subprocess.Popen[bytes]]:
        """Let a stand-in of the supervisor run a command."""
        folder = self.folder(job)
        process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(folder), json.dumps(command), text])
        try:
            deadline = time.monotonic() + PATIENCE
            while not (folder / "state.json").exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield process
        finally:
            process.kill()
            process.wait()


class Talk:
    """One conversation."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.buffer = b""
        self.begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self.process.stdin, self.process.stdout):
            assert one is not None
            one.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            assert self.process.stderr is not None
            self.process.stderr.close()

    def message(self, seconds: float = PATIENCE) -> tuple[bytes, bytes]:
        assert self.process.stdout is not None
        begin = f"\n{NONCE} begin\n".encode()
        deadline = time.monotonic() + seconds
        while True:
            if not self.begun and len(self.buffer) >= len(begin):
                assert self.buffer.startswith(begin), self.buffer[:300]
                self.buffer, self.begun = self.buffer[len(begin) :], True
            if self.begun and len(self.buffer) >= HEAD.size:
                kind, length = HEAD.unpack_from(self.buffer)
                if len(self.buffer) >= HEAD.size + length:
                    payload = self.buffer[HEAD.size : HEAD.size + length]
                    self.buffer = self.buffer[HEAD.size + length :]
                    return kind, payload
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "nothing is said"
            piece = os.read(self.process.stdout.fileno(), 1 << 20)
            assert piece, self.errors()
            self.buffer += piece

    def last(self) -> tuple[bytes, Any]:
        """Return the last word."""
        while True:
            kind, payload = self.message()
            if kind in (b"J", b"E", b"X"):
                return kind, json.loads(payload)

    def until_printed(self, count: int) -> list[tuple[int, int, bytes]]:
        """Return offset, stream and bytes of what is told until so many bytes are there."""
        found: list[tuple[int, int, bytes]] = []
        while sum(len(data) for _, _, data in found) < count:
            kind, payload = self.message()
            if kind == b"O":
                offset, stream = AT.unpack_from(payload)
                found.append((offset, stream, payload[AT.size :]))
            else:
                assert kind == b"S", payload
        return found

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode(errors="replace")


def write(folder: Path, name: str, value: Any) -> None:
    """Write a file of a job by rename."""
    draft = folder / f".{name}"
    draft.write_text(json.dumps(value))
    draft.rename(folder / name)


def end(folder: Path, code: int = 0, ended: float | None = None) -> None:
    moment = time.time() if ended is None else ended
    write(folder, "end.json", {"state": "exited", "exit_code": code, "started": 1.0, "ended": moment})


def printed(folder: Path, *parts: tuple[int, bytes], moment: float | None = None) -> None:
    """Let a job print: stream and bytes."""
    with (folder / "log").open("ab") as log, (folder / "log.index").open("ab") as index:
        for stream, data in parts:
            milliseconds = int((time.time() if moment is None else moment) * 1000)
            index.write(RUN.pack(milliseconds, log.tell() << 2 | stream))
            index.flush()
            log.write(data)
            log.flush()


def hold(folder: Path) -> IO[bytes]:
    """Hold the lock of a job, as its supervisor does."""
    stream = (folder / "alive").open("r+b")
    fcntl.flock(stream, fcntl.LOCK_EX)
    return stream


def script(text: str) -> tuple[str, str, str]:
    """Return the command that runs a Python text."""
    return (sys.executable, "-c", textwrap.dedent(text))
