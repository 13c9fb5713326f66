"""What was told already: one file for all processes of the user, each change of it under a lock."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from provision.ledger.place import ledger_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")
NAME = "notices.json"
KEPT = 90 * 86400.0
"""Seconds that a key is kept."""
MOST = 5000
"""Keys that are kept."""
HELD = 60.0
"""Seconds after which whoever wanted to send is thought to be dead: sending takes no longer than fifteen."""
PATIENCE = 2.0
"""Seconds that another process may keep the file."""
_LARGEST = 8 << 20


@dataclass(frozen=True, slots=True)
class Key:
    """What is told once."""

    project: str
    """The absolute path of its root."""
    key: str
    kind: str
    host: str | None

    @property
    def whole(self) -> str:
        """The name in the file."""
        return f"{self.project}\n{self.key}"


class Told:
    """The file below the XDG state folder; where it cannot be used, everything counts as new."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._path = ledger_path(environ).with_name(NAME)

    def claim(self, keys: Sequence[Key]) -> list[Key]:
        """Return those that are ours to tell: nobody told them, and nobody is at it."""
        now = time.time()

        def change(known: dict[str, Any]) -> list[Key]:
            ours = []
            for key in keys:
                found = known.get(key.whole)
                if found is not None and (found["told"] or 0 <= now - found["at"] < HELD):
                    continue
                ours.append(key)
                known[key.whole] = {
                    "at": now,
                    "kind": key.kind,
                    "host": key.host,
                    "project": key.project,
                    "told": False,
                }
            return ours

        return self._change(change, otherwise=list(dict.fromkeys(keys)))

    def settle(self, sent: Mapping[Key, bool]) -> None:
        """Keep claimed keys that were sent as told, and give the others back."""

        def change(known: dict[str, Any]) -> None:
            for key, done in sent.items():
                found = known.get(key.whole)
                if done and found is not None:
                    found["told"] = True
                elif found is not None:
                    del known[key.whole]

        self._change(change, otherwise=None)

    def forget(self, project: str, kind: str, host: str | None) -> None:
        """Forget what was told of a kind about a host: should it happen again, it is told again."""

        def change(known: dict[str, Any]) -> None:
            for name, one in list(known.items()):
                if (one["project"], one["kind"], one["host"]) == (project, kind, host):
                    del known[name]

        if self.standing(project, kind, host):
            self._change(change, otherwise=None)

    def standing(self, project: str, kind: str, host: str | None) -> bool:
        """Return whether something of a kind was told about a host, and not forgotten."""
        return any(
            (one["project"], one["kind"], one["host"]) == (project, kind, host) and one["told"]
            for one in _read(self._path).values()
        )

    def _change(self, change: Callable[[dict[str, Any]], T], *, otherwise: T) -> T:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(self._path.with_suffix(".lock")):
                known = _read(self._path)
                done = change(known)
                _write(self._path, known)
                return done
        except (OSError, ValueError):
            return otherwise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Any]:
    """Return what is known; a file that somebody damaged knows nothing."""
    try:
        with path.open("rb") as stream:
            value = json.loads(stream.read(_LARGEST))
        return {
            name: {
                "at": float(one["at"]),
                "kind": one["kind"],
                "host": one["host"],
                "project": one["project"],
                "told": one["told"] is True,
            }
            for name, one in value.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _write(path: Path, known: dict[str, Any]) -> None:
    now = time.time()
    kept = [(name, one) for name, one in known.items() if now - one["at"] < KEPT]
    kept = sorted(kept, key=lambda each: float(each[1]["at"]))[-MOST:]
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        json.dump(dict(kept), stream)
    draft.replace(path)
