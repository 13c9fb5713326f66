"""A small client of the receiver: it speaks the protocol over pipes, and knows nothing of the engine."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import select
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.remote.sources import source
from provision.sync.manifest import EXECUTABLE, FILE, LINK, Entry, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from typing_extensions import Self

NONCE = "0123456789abcdef0123456789abcdef"
BIG = 4 << 20
PATIENCE = 60.0
BLOCK = struct.Struct(">cI")
ORIGIN = {
    "client": "1" * 32,
    "root": "/home/me/project",
    "who": "me@laptop",
    "project": "project",
    "commit": None,
    "branch": None,
    "dirty": None,
}

Item = tuple[int, bytes]
"""Kind and content (of a link, its target)."""


def file(content: bytes | str = b"", *, executable: bool = False) -> Item:
    return (EXECUTABLE if executable else FILE, content.encode() if isinstance(content, str) else content)


def link(target: bytes | str | Path) -> Item:
    return (LINK, os.fsencode(target))


def entry(item: Item) -> Entry:
    return Entry(item[0], len(item[1]), hashlib.sha256(item[1]).digest())


def manifest(items: Mapping[bytes, Item]) -> Manifest:
    return Manifest.of({path: entry(item) for path, item in items.items()})


def short(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text


def put(path: bytes, item: Item, offset: int = 0) -> bytes:
    """Return the record that brings one entry."""
    kind, content = item
    if kind == LINK:
        return b"L" + short(path) + short(content)
    if len(content) < BIG:
        return b"F" + bytes([kind]) + short(path) + struct.pack(">I", len(content)) + content
    digest = hashlib.sha256(content).digest()
    head = b"B" + bytes([kind]) + short(path) + struct.pack(">Q32sQ", len(content), digest, offset)
    return head + content[offset:]


def delete(path: bytes) -> bytes:
    return b"D" + short(path)


def mode(path: bytes, kind: int) -> bytes:
    return b"M" + bytes([kind]) + short(path)


def use(path: bytes, kind: int) -> bytes:
    return b"U" + bytes([kind]) + short(path)


def copy(path: bytes, item: Item, origin: bytes) -> bytes:
    return b"K" + bytes([item[0]]) + short(path) + short(origin) + struct.pack(">Q", len(item[1])) + entry(item).sha256


def end(target: Manifest) -> bytes:
    return b"Z" + bytes.fromhex(target.id)


def coded(codec: str, records: bytes) -> bytes:
    """Return a coded stream of at least two members."""
    half = len(records) // 2
    parts = (records[:half], records[half:])
    if codec == "none":
        return records
    if codec == "gzip":
        return gzip.compress(parts[0], 1) + gzip.compress(parts[1], 0)
    if codec == "raw":
        return b"".join(map(raw_frame, parts))
    return b"".join(
        subprocess.run(["zstd", "-1cq"], input=one, stdout=subprocess.PIPE, check=True).stdout for one in parts
    )


def raw_frame(data: bytes) -> bytes:
    """Return a zstd frame (RFC 8878) of raw blocks: 4-byte content size, one segment."""
    frame = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data))
    pieces = [data[at : at + (128 << 10)] for at in range(0, len(data), 128 << 10)] or [b""]
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        frame += struct.pack("<I", len(piece) << 3 | last)[:3] + piece
    return frame


class EndedError(Exception):
    """The receiver went away."""


@dataclass
class Message:
    kind: bytes
    payload: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.payload)


class Receiver:
    """One run of the receiver, as a process with pipes."""

    def __init__(
        self,
        request: dict[str, Any],
        *,
        python: str = sys.executable,
        prologue: str = "",
        wrap: Iterable[str] = (),
        env: Mapping[str, str] | None = None,
        umask: int = 0o022,
        through: str | None = None,
    ) -> None:
        text = prologue + source("sync_tree.py")
        words = [python, "-I", "-B", "-c", text, json.dumps(request)]
        if through:
            words = [through, "-c", source("sync_tree.sh"), "sh", json.dumps(request), text]
        self.process = subprocess.Popen(
            [*wrap, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", **(env or {}), "PROVISION_NONCE": NONCE},
            umask=umask,
            bufsize=0,
        )
        self.buffer = b""
        self.begun = False
        self.first = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def message(self, seconds: float = PATIENCE) -> Message:
        """Return the next message.

        Raises:
            EndedError: there is none, as the receiver ended.
        """
        assert self.process.stdout is not None
        begin = f"\n{NONCE} begin\n".encode()
        deadline = time.monotonic() + seconds
        while True:
            if not self.begun and len(self.buffer) > len(begin):
                assert self.buffer.startswith(begin), self.buffer[:200]
                self.buffer, self.begun = self.buffer[len(begin) :], True
            if self.begun and len(self.buffer) >= 5:
                kind, length = BLOCK.unpack_from(self.buffer)
                if len(self.buffer) >= 5 + length:
                    payload, self.buffer = self.buffer[5 : 5 + length], self.buffer[5 + length :]
                    return Message(kind, payload)
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the receiver says nothing"
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            self.first = self.first or piece
            if not piece:
                raise EndedError(self.errors())
            self.buffer += piece

    def until(self, kinds: bytes) -> Message:
        """Return the next message of one of these kinds (or the error, where they do not say E)."""
        while True:
            message = self.message()
            if message.kind in (bytes([one]) for one in kinds):
                return message
            assert message.kind != b"E", message.value

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        assert self.process.stdin is not None
        data = memoryview(BLOCK.pack(kind, len(payload)) + payload)
        try:
            while data:
                data = data[self.process.stdin.write(data) :]
        except BrokenPipeError:
            raise EndedError(self.errors()) from None

    def stream(self, records: bytes, codec: str = "none", *, piece: int = 256 << 10) -> None:
        """Send records as a coded stream, without its end."""
        self.send(b"J", json.dumps({"codec": "zstd" if codec == "raw" else codec}).encode())
        data = coded(codec, records)
        for at in range(0, len(data), piece):
            self.send(b"D", data[at : at + piece])

    def finish(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode(errors="replace")

    def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for the end, and return the exit code."""
        return self.process.wait(seconds)

    def close(self) -> None:
        for one in (self.process.stdin, self.process.stdout):
            if one and not one.closed:
                one.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            if self.process.stderr and not self.process.stderr.closed:
                self.process.stderr.close()


@dataclass
class Laptop:
    """What syncs to a tree: it remembers what the host had, as a client does."""

    tree: Path
    items: dict[bytes, Item] = field(default_factory=dict)
    base: dict[bytes, Entry] = field(default_factory=dict)
    codec: str = "none"
    options: dict[str, Any] = field(default_factory=dict)

    def request(self, **more: Any) -> dict[str, Any]:
        return {
            "protocol": 1,
            "tree": str(self.tree),
            "state_dir": "",
            "origin": ORIGIN,
            "base": Manifest.of(self.base).id if self.base else "",
            "target": manifest(self.items).id,
            "take_over": False,
            "dry_run": False,
            "rehash": False,
            "wait": 0,
            **more,
        }

    def start(self, **more: Any) -> Receiver:
        return Receiver(self.request(**more), **self.options)

    def ask(self, **more: Any) -> dict[str, Any]:
        """Return what the host answers; an E message as well."""
        with self.start(**more) as receiver:
            answer: dict[str, Any] = receiver.until(b"AE").value
            return answer

    def opened(self, receiver: Receiver) -> tuple[dict[str, Any], Manifest]:
        """Read the answer, and what was left by a broken sync."""
        answer = receiver.until(b"A").value
        if answer["id"] not in ("", Manifest.of(self.base).id if self.base else "", manifest(self.items).id):
            self.base = dict(Manifest.parse(receiver.until(b"M").payload).entries)
        elif answer["id"] == manifest(self.items).id:
            self.base = dict(manifest(self.items).entries)
        elif not answer["id"]:
            self.base = {}
        staged = Manifest.parse(receiver.until(b"S").payload) if answer["staged"] else Manifest.of({})
        return answer, staged

    def records(self, answer: dict[str, Any], staged: Manifest) -> list[bytes]:
        """Return what makes the host's tree ours."""
        changed = {os.fsencode(path): how for path, how in answer["changed"].items()}
        records = []
        for path in sorted(self.items):
            item = self.items[path]
            wanted, there = entry(item), self.base.get(path)
            if there == wanted and changed.get(path) in (None, "mode"):
                if path in changed:
                    records.append(mode(path, item[0]))
                continue
            if staged.entries.get(path) == wanted:
                records.append(use(path, item[0]))
                continue
            records.append(put(path, item, answer["partial"].get(wanted.sha256.hex(), 0)))
        records += [delete(path) for path in sorted(self.base) if path not in self.items]
        return [*records, end(manifest(self.items))]

    def sync(self, **more: Any) -> dict[str, Any]:
        """Make the host's tree ours; return its result, or its error."""
        with self.start(**more) as receiver:
            first = receiver.until(b"AE") if not receiver.buffer else receiver.message()
            if first.kind == b"E":
                error: dict[str, Any] = first.value
                return error
            receiver.buffer = BLOCK.pack(first.kind, len(first.payload)) + first.payload + receiver.buffer
            answer, staged = self.opened(receiver)
            try:
                receiver.stream(b"".join(self.records(answer, staged)), self.codec)
                receiver.finish()
            except EndedError:
                pass
            said: dict[str, Any] = receiver.until(b"RE").value
        if "kind" not in said:
            self.base = dict(manifest(self.items).entries)
        return said


def on_disk(tree: Path) -> dict[bytes, Item]:
    """Return every file and link of a tree, and empty folders under their names with a slash behind."""
    found: dict[bytes, Item] = {}
    todo = [one for one in tree.iterdir() if one.name != ".provision"]
    while todo:
        one = todo.pop()
        path = os.fsencode(one.relative_to(tree))
        if one.is_symlink():
            found[path] = link(one.readlink())
        elif one.is_dir():
            inside = list(one.iterdir())
            todo += inside
            if not inside:
                found[path + b"/"] = file()
        else:
            found[path] = file(one.read_bytes(), executable=bool(one.stat().st_mode & 0o100))
    return found


def own_names(tree: Path) -> set[str]:
    """Return what stands in the folder of our own that is not there after every sync."""
    usual = {"lock", "owner.json", "manifest", "stamps", "folders", "kept"}
    return {one.name for one in (tree / ".provision").iterdir()} - usual
