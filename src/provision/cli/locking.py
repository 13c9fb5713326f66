"""Solves locks of environment files and writes them; tells what changed since the last one, by package."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.cli.written import create, replace
from provision.environment.lock_change import changes
from provision.solving.lock_files import lock_path, read_lock, texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.environment.lock import Lock
    from provision.environment.lock_change import PackageChange
    from provision.environment.spec import EnvironmentSpec
    from provision.model.host import Mirror
    from provision.solving.machine import Machine

SHOWN = 40
"""Changed packages that are shown without -v."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One lock to be made."""

    file: Path
    """The environment file."""
    variant: str | None
    spec: EnvironmentSpec
    machine: Machine
    mirror: Mirror | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """One lock that was made."""

    path: Path
    lock: Lock
    changed: tuple[PackageChange, ...]
    new: bool
    """There was none before."""
    same: bool
    """The files were so already."""

    def document(self) -> dict[str, Any]:
        """Return it for --json."""
        lock = self.lock
        return {
            "path": str(self.path),
            "new": self.new,
            "up_to_date": self.same,
            "platform": lock.platform,
            "cuda": None if lock.cuda == "none" else lock.cuda,
            "glibc": lock.glibc,
            "content": lock.content,
            "conda": len(lock.conda),
            "pip": len(lock.pip),
            "bytes": lock.size,
            "changes": [
                {"kind": one.kind, "name": one.name, "before": one.before, "after": one.after} for one in self.changed
            ],
        }


def can_solve() -> bool:
    """Whether what solves is installed here."""
    return all(importlib.util.find_spec(one) is not None for one in ("rattler", "uv"))


def make_lock(wanted: Wanted, tell: Callable[[str], None], *, upgrade: bool, write: bool = True) -> Written:
    """Solve one lock and write its files, each by rename; what is locked stays where it can, unless `upgrade`.

    Raises:
        UsageError: what solves is not installed, or the folder cannot be written.
        StepFailedError: nothing is what the file asks for, or an index cannot be read.
    """
    from provision.solving.lock import solve

    before = earlier(wanted.file, wanted.machine.platform, wanted.machine.cuda)
    path = lock_path(wanted.file, wanted.machine.platform, wanted.machine.cuda)
    lock = solve(
        wanted.spec,
        wanted.variant,
        wanted.machine,
        mirror=wanted.mirror,
        kept=None if upgrade else before,
        source=path,
        tell=tell,
    )
    return put_lock(wanted.file, lock, write=write)


def put_lock(file: Path, lock: Lock, *, write: bool = True) -> Written:
    """Write the files of a lock, each by rename, where they are not so already.

    Raises:
        UsageError: the folder cannot be written.
    """
    before = earlier(file, lock.platform, lock.cuda)
    files = texts(file, lock)
    same = all(_content(one) == text for one, text in files.items())
    if write and not same:
        for one, text in files.items():
            _put(one, text)
    return Written(lock_path(file, lock.platform, lock.cuda), lock, changes(before, lock), before is None, same)


def earlier(file: Path, platform: str, cuda: str) -> Lock | None:
    """Return the lock that is there for such a machine; one that cannot be read counts as none."""
    from provision.errors import BadFileError

    path = lock_path(file, platform, cuda)
    try:
        return read_lock(path) if path.exists() else None
    except BadFileError:
        return None


def lines(written: Written, *, verbose: bool) -> list[str]:
    """Return what a person reads of it."""
    lock = written.lock
    amount = f"{len(lock.conda)} conda packages" + (f", {len(lock.pip)} by pip" if lock.pip else "")
    state = "as it was" if written.same else "new" if written.new else "changed"
    found = [f"{written.path.name}: {state}; {amount}, {lock.size / 1e6:,.0f} MB to download"]
    if not written.new:
        shown = written.changed if verbose else written.changed[:SHOWN]
        found += [f"  {one.line}" for one in shown]
        if len(shown) < len(written.changed):
            found.append(f"  ... and {len(written.changed) - len(shown)} more (-v shows all)")
    return found


def _content(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _put(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink(missing_ok=True)
    elif path.exists():
        replace(path, text)
    else:
        create(path, text)


def document(written: list[Written], name: str, code: int) -> str:
    """Return the JSON document of all locks."""
    return json.dumps(
        {"schema_version": 1, "command": name, "exit_code": code, "locks": [one.document() for one in written]},
        indent=2,
    )
