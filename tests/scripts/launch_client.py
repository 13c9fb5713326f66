"""A small client of the launcher: it asks as provision does, over pipes, and stands in for the supervisor."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import subprocess
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.remote.command import converse_line, script_text
from provision.remote.sources import source
from provision.sync.manifest import EXECUTABLE, LINK
from tests.scripts.shells import eventually
from tests.scripts.sync_client import manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.scripts.sync_client import Item

NONCE = "0123456789abcdef0123456789abcdef"
HEAD = struct.Struct(">cI")
PATIENCE = 60.0
NO_SYSTEMD = "booted_by_systemd = lambda: False\noutlives_logout = lambda: True\n"
"""The launcher takes this machine for one without systemd, whatever it is: nothing of it is to have units of tests."""
SUPERVISOR = r"""
import fcntl, json, os, subprocess, sys, time
folder = sys.argv[1]
def written(name, value):
    with open(folder + "/." + name, "w") as stream:
        json.dump(value, stream)
    os.rename(folder + "/." + name, folder + "/" + name)
if sys.argv[2:]:
    written(sys.argv[2], {"result": os.environ.get("SERVICE_RESULT")})
    sys.exit(0)
alive = os.open(folder + "/alive", os.O_RDWR)
try:
    fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    sys.exit(0)
if os.path.exists(folder + "/state.json") or os.path.exists(folder + "/end.json"):
    sys.exit(0)
with open(folder + "/job.json") as stream:
    job = json.load(stream)
with open(folder + "/env") as stream:
    env = json.load(stream)
os.unlink(folder + "/env")
began = time.time()
written("state.json", {"state": "running", "pid": os.getpid(), "since": began, "started": began, "gpus": []})
with open(folder + "/log", "wb") as log:
    raw = lambda text: text.encode("utf-8", "surrogateescape")
    code = subprocess.call(
        list(map(raw, job["command"])), cwd=os.path.join(raw(job["snapshot"] or job["tree"]), raw(job["cwd"])),
        env={raw(name): raw(value) for name, value in env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
written("end.json", {"state": "exited", "exit_code": code, "started": began, "ended": time.time()})
"""


def request_bytes(request: Mapping[str, Any]) -> bytes:
    packed = zlib.compress(json.dumps(request).encode())
    return struct.pack(">I", len(packed)) + packed


def messages(said: bytes, nonce: str = NONCE) -> list[tuple[bytes, Any]]:
    """Return the messages of what a program said."""
    begin = f"\n{nonce} begin\n".encode()
    assert said.startswith(begin), said[:500]
    said = said[len(begin) :]
    found = []
    while said:
        kind, length = HEAD.unpack_from(said)
        found.append((kind, json.loads(said[5 : 5 + length])))
        said = said[5 + length :]
    return found


def launcher_text(prologue: str = NO_SYSTEMD) -> str:
    """Return the launcher's text; `prologue` is run when all is defined, and nothing has begun."""
    head, last, tail = source("launch_job.py").rpartition("spoken(main)")
    return head + prologue + last + tail


@dataclass
class JobHost:
    """A home on this machine, with a tree in it that a project was synced to."""

    home: Path
    shell: str = "sh"
    prologue: str = NO_SYSTEMD
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state.mkdir(mode=0o700)
        (self.tree / ".provision").mkdir(parents=True, mode=0o700)
        self.sync({})

    @property
    def state(self) -> Path:
        return self.home / ".provision"

    @property
    def tree(self) -> Path:
        return self.home / "work" / "project"

    @property
    def snapshots(self) -> Path:
        return self.tree / ".provision" / "snapshots"

    def job(self, name: str = "abcdef") -> Path:
        return self.state / "jobs" / name

    def read(self, name: str, job: str = "abcdef") -> Any:
        return json.loads((self.job(job) / name).read_text())

    def sync(self, items: Mapping[str, Item], *, place: bool = True) -> str:
        """Put files and links into the tree, as a sync does; return the tree's id."""
        raw = {os.fsencode(path): item for path, item in items.items()}
        for path, item in items.items() if place else ():
            target = self.tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if item[0] == LINK:
                target.symlink_to(os.fsdecode(item[1]))
            else:
                target.write_bytes(item[1])
                target.chmod(0o755 if item[0] == EXECUTABLE else 0o644)
        made = manifest(raw)
        (self.tree / ".provision" / "manifest").write_bytes(made.blob)
        return made.id

    def request(self, *command: str, **more: Any) -> dict[str, Any]:
        return {
            "format": 1,
            "state_dir": "~/.provision",
            "id": "abcdef",
            "nonce": "1" * 32,
            "name": None,
            "project": "project",
            "tree": "~/work/project",
            "command": command or ("true",),
            "cwd": "",
            "in_place": False,
            "persist": [],
            "environment": None,
            "env": [],
            "secrets": [],
            "gpus": None,
            "max_time": None,
            "grace": 10,
            "origin": {"client": "1" * 32, "root": "/home/me/project", "user": "me", "project": "project"},
            "tree_id": None,
            "diff": None,
            "supervisor": SUPERVISOR,
            "keep": None,
            "driver": None,
            **more,
        }

    def start(self, request: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        """Start the launcher as sshd would, and send the request."""
        script = script_text(source("converse.sh"), ("~/.provision", launcher_text(self.prologue)))
        process = subprocess.Popen(
            [*(["busybox", "sh"] if self.shell == "busybox" else [self.shell]), "-c", converse_line(script, NONCE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], **self.variables},
            umask=0o022,
            start_new_session=True,
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(request_bytes(request))
            process.stdin.flush()
        return process

    def ask(self, request: Mapping[str, Any]) -> tuple[bytes, Any]:
        """Return the launcher's last word."""
        process = self.start(request)
        try:
            said, errors = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        assert said, errors.decode()
        return messages(said)[-1]

    def launch(self, *command: str, **more: Any) -> Any:
        """Launch a job; return what is said of it."""
        kind, said = self.ask(self.request(*command, **more))
        assert kind == b"J", said
        return said

    def refused(self, *command: str, **more: Any) -> Any:
        """Try to launch a job that is not taken; return why."""
        kind, said = self.ask(self.request(*command, **more))
        assert kind == b"E", said
        return said

    def ended(self, job: str = "abcdef") -> Any:
        """Wait for a job's end; return what it says of it."""
        assert eventually((self.job(job) / "end.json").exists, PATIENCE)
        return self.read("end.json", job)

    def log(self, job: str = "abcdef") -> str:
        self.ended(job)
        return (self.job(job) / "log").read_text()

    def idle(self) -> bool:
        """Whether nothing of a job is running any more."""
        return eventually(lambda: not any(locked(one) for one in self.state.glob("jobs/*/alive")), PATIENCE)


def locked(path: Path) -> bool:
    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
