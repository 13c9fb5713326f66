"""A host that is a folder of this machine: the real sender runs there, or bytes that a test made up are its answer."""

from __future__ import annotations

import os
import secrets
import select
import struct
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.engine.pull import Pulled, Puller
from provision.engine.pull_choice import Wish
from provision.engine.stop import Stop
from provision.errors import LinkLostError
from provision.remote.command import script_text
from provision.remote.sources import source
from provision.sync.pulling import MOST_ENTRIES, MOST_LISTED

if TYPE_CHECKING:
    from pathlib import Path

    from provision.events import Event
    from provision.model.plan import Program


class Near:
    """The sender as a child of ours; the link is cut after so many bytes."""

    begun = True

    def __init__(self, program: Program, home: Path, cut_after: int | None) -> None:
        nonce = secrets.token_hex(16)
        env = {"HOME": str(home), "PATH": os.environ["PATH"], "PROVISION_NONCE": nonce}
        script = script_text(source(program.script), program.arguments)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(["sh", "-c", script], env=env, cwd=home, stdin=pipe, stdout=pipe)
        self._left = cut_after
        self._head = f"\n{nonce} begin\n".encode()

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError as error:
            raise LinkLostError("gone") from error

    def receive(self, seconds: float) -> bytes:
        assert self._process.stdout is not None
        if self._left is not None and self._left <= 0:
            raise LinkLostError("cut")
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            return b""
        data = os.read(self._process.stdout.fileno(), 1 << 18)
        if not data:
            raise LinkLostError("ended")
        if self._head:
            assert data.startswith(self._head), data[:200]
            data, self._head = data[len(self._head) :], b""
        if self._left is not None:
            self._left -= len(data)
        return data

    def finish(self) -> None:
        return

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Made:
    """Answers with bytes, whatever it is asked; then the stream ends."""

    begun = True

    def __init__(self, data: bytes) -> None:
        self._data = data

    def send(self, data: bytes) -> None:
        del data

    def receive(self, seconds: float) -> bytes:
        del seconds
        piece, self._data = self._data[: 1 << 16], self._data[1 << 16 :]
        if not piece:
            raise LinkLostError("ended")
        return piece

    def finish(self) -> None:
        return

    def close(self) -> None:
        return


@dataclass
class NearLink:
    """A link to such a host; `cuts` are the bytes after which each connection is lost."""

    home: Path
    cuts: list[int] = field(default_factory=list)
    made: bytes | None = None
    notes: list[str] = field(default_factory=list)
    reconnected: int = 0

    def converse(self, program: Program) -> Near | Made:
        if self.made is not None:
            return Made(self.made)
        return Near(program, self.home, self.cuts.pop(0) if self.cuts else None)

    def reconnect(self) -> None:
        self.reconnected += 1


@dataclass
class Desk:
    """A host's home, and a folder of the user's."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    emit: Any = None

    def __post_init__(self) -> None:
        self.emit = self.events.append
        self.there.mkdir()
        self.here.mkdir()

    @property
    def there(self) -> Path:
        return self.folder / "there"

    @property
    def here(self) -> Path:
        return self.folder / "here"

    def pull(self, path: str, into: str = "", link: NearLink | None = None, **more: Any) -> Pulled:
        wish = Wish(
            "box", "~", path, "~/.provision", f"{self.here}/{into}", most=MOST_ENTRIES, most_bytes=MOST_LISTED, **more
        )
        found = link or NearLink(self.there)
        environ = {"HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state")}
        return Puller(wish, found, self.emit, self.stop, environ=environ, umask=0o022).run()  # type: ignore[arg-type]


def message(kind: bytes, payload: bytes) -> bytes:
    """Return one message of a host."""
    return kind + struct.pack(">I", len(payload)) + payload


def entry(path: bytes, kind: int = 1, size: int = 0, target: bytes = b"") -> bytes:
    """Return one record of a listing."""
    return struct.pack(">BQqHH", kind, size, 1, len(path), len(target)) + path + target


def listing(*entries: bytes) -> bytes:
    """Return all that a host says up to the listing's end."""
    end = b'{"entries": %d}' % len(entries)
    return message(b"A", b'{"protocol": 1}') + message(b"N", b"".join(entries)) + message(b"Z", end)
