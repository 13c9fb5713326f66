"""What this machine remembers of a project between syncs. All of it can be lost: that costs time or a question."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Any

LARGEST = 1 << 30
_CLIENT = re.compile(r"[0-9a-f]{32}")


def state_folder() -> Path:
    """Return ``provision`` below $XDG_STATE_HOME, where that is absolute as its specification asks."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state.startswith("/") else Path.home() / ".local" / "state") / "provision"


def client_id() -> str:
    """Return who this machine's user is to the hosts: 32 hexadecimal digits, made once.

    Where nothing can be kept, they are made from the machine's own id, so that they stay the same.
    """
    path = state_folder() / "client-id"
    known = _read_client(path)
    if known is not None:
        return known
    try:
        _private_folder(path.parent)
        handle, draft = tempfile.mkstemp(prefix=".client-id-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(secrets.token_hex(16) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            try:
                os.link(draft, path)  # of several that start at once, one is first and the others read what it wrote
            except FileExistsError:
                if _read_client(path) is None:  # damaged
                    os.rename(draft, path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError:
        pass
    return _read_client(path) or _substitute()


class TreeState:
    """The folder of one project's root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, root: str | os.PathLike[str]) -> TreeState:
        """Return the state of the project with that root."""
        place = hashlib.sha256(os.path.realpath(os.fsencode(root))).hexdigest()[:16]
        return cls(state_folder() / "sync" / place)

    @property
    def index(self) -> bytes:
        """Where the index of its files is."""
        return os.fsencode(self.folder / "index")

    def answers(self) -> dict[str, Any]:
        """Return the remembered answers; none where they cannot be read."""
        try:
            answers = json.loads(_read(self.folder / "answers.json") or b"{}")
        except (ValueError, RecursionError):
            return {}
        return answers if isinstance(answers, dict) else {}

    def save_answers(self, answers: dict[str, Any]) -> str | None:
        """Remember answers; return a note where that cannot be."""
        return write_whole(os.fsencode(self.folder / "answers.json"), json.dumps(answers, indent=1).encode() + b"\n")

    def base(self, key: str) -> bytes | None:
        """Return the manifest that a host had after the last sync, unread; the key is that of `base_key`."""
        return _read(self.folder / "base" / key)

    def save_base(self, key: str, blob: bytes) -> str | None:
        """Remember the manifest that a host has now; return a note where that cannot be."""
        return write_whole(os.fsencode(self.folder / "base" / key), blob)


def base_key(name: str, user: str, address: str, port: int, tree: str) -> str:
    """Return what a tree on a host is called in the state: 16 hexadecimal digits."""
    text = "|".join((name, user, address, str(port), tree))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]


COST = "the next sync takes longer, no more than that"


def write_whole(path: bytes, content: bytes, cost: str = COST) -> str | None:
    """Replace a file in one step, private to the user; return a note, with what it costs, where that cannot be."""
    folder = Path(os.fsdecode(os.path.dirname(path)))
    try:
        _private_folder(folder)
        handle, draft = tempfile.mkstemp(prefix=".draft-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.rename(os.fsencode(draft), path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        return f"{os.fsdecode(path)} cannot be written ({error.strerror}): {cost}"
    return None


def _private_folder(folder: Path) -> None:
    if not folder.is_dir():
        _private_folder(folder.parent)
        try:
            folder.mkdir(0o700)
        except FileExistsError:
            if not folder.is_dir():
                raise


def _read(path: Path) -> bytes | None:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            return stream.read(LARGEST)
    except OSError:
        return None


def _read_client(path: Path) -> str | None:
    text = (_read(path) or b"").decode("ascii", "replace").strip()
    return text if _CLIENT.fullmatch(text) else None


def _substitute() -> str:
    machine = _read(Path("/etc/machine-id")) or os.uname().nodename.encode()
    return hashlib.sha256(b"%s|%d" % (machine.strip(), os.getuid())).hexdigest()[:32]
