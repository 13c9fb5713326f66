"""Schedules on this machine: their files, what is remembered of their runs, and what those printed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from provision.decode.near import suggestion
from provision.errors import UsageError
from provision.schedule.backoff import Failing
from provision.schedule.names import is_key, key_of
from provision.schedule.record import Schedule, document, schedule_of
from provision.tree.state import state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT = 30
"""Runs of a schedule whose output is kept."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is remembered of a schedule's runs."""

    handled: float
    """The due time that the last run was for, or when the schedule was made."""
    started: float | None = None
    ended: float | None = None
    outcome: str | None = None
    text: str | None = None
    exit_code: int | None = None
    failing: dict[str, Failing] = field(default_factory=dict)
    drifting: tuple[str, ...] = ()
    """Hosts whose drift was told."""


def folder() -> Path:
    """Return where schedules are kept."""
    return state_folder() / "schedules"


def load(name: str) -> Schedule:
    """Return a schedule by its name.

    Raises:
        UsageError: there is none, or its file is damaged.
    """
    path = _path(key_of(name))
    if not path.exists():
        found, _ = load_all()
        names = [one.name for one in found]
        hint = "provision schedule list" if names else "provision schedule add HOSTS --daily 03:30"
        raise UsageError(f"there is no schedule '{name}'{suggestion(name, names)}", hint=hint)
    try:
        return schedule_of(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        hint = f"provision schedule remove '{name}', and add it again"
        raise UsageError(f"{path}: {error}", hint=hint) from None


def load_all() -> tuple[list[Schedule], list[str]]:
    """Return all schedules, and a line for each file that is none."""
    found: list[Schedule] = []
    damaged: list[str] = []
    paths = sorted(folder().glob("*.json")) if folder().is_dir() else []
    for path in paths:
        if not is_key(path.stem):
            continue
        try:
            found.append(schedule_of(json.loads(path.read_text("utf-8"))))
        except UsageError as error:
            damaged.append(f"{path}: {error.message}")
        except (OSError, ValueError) as error:
            damaged.append(f"{path}: {error}")
    return found, damaged


def exists(name: str) -> bool:
    """Whether there is a file of that schedule, damaged or not."""
    return _path(key_of(name)).exists()


def save(schedule: Schedule) -> Path:
    """Keep a schedule.

    Raises:
        UsageError: the file cannot be written.
    """
    path = _path(schedule.key)
    _write(path, document(schedule))
    return path


def forget(name: str) -> None:
    """Remove a schedule with all that is remembered of it."""
    key = key_of(name)
    runs = runs_folder(key)
    for path in (*runs.glob("*"), _path(key), _past_path(key), folder() / f"{key}.lock"):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        runs.rmdir()


def past(schedule: Schedule, now: float) -> Past:
    """Return what is remembered; of a damaged file nothing, of one from the future what can be."""
    try:
        plain = json.loads(_past_path(schedule.key).read_text("utf-8"))
        failing = {str(host): Failing(**one) for host, one in plain.pop("failing").items()}
        drifting = tuple(plain.pop("drifting", ()))
        found = Past(**plain, failing=failing, drifting=drifting)
        return replace(found, handled=min(float(found.handled), now))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Past(min(schedule.created, now))


def remember(schedule: Schedule, state: Past) -> None:
    """Keep what a run came to.

    Raises:
        UsageError: the file cannot be written.
    """
    _write(_past_path(schedule.key), asdict(state))


@contextlib.contextmanager
def only_one(schedule: Schedule) -> Iterator[bool]:
    """Yield whether no other run of this schedule goes on here; it ends with its process, however that ends."""
    path = folder() / f"{schedule.key}.lock"
    _make(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)


def runs_folder(key: str) -> Path:
    """Return where a schedule's runs are."""
    return folder() / key


def new_run(schedule: Schedule) -> tuple[Path, Path]:
    """Return the files of a new run: what it prints, and its document. The oldest runs make way."""
    where = runs_folder(schedule.key)
    _make(where)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    old = sorted(where.glob("*.log"))[: -(KEPT - 1)]
    for path in old:
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)
    return where / f"{stamp}.log", where / f"{stamp}.json"


def _path(key: str) -> Path:
    return folder() / f"{key}.json"


def _past_path(key: str) -> Path:
    return folder() / f"{key}.past"


def _make(where: Path) -> None:
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{where}: cannot be made: {error.strerror or error}") from None


def _write(path: Path, plain: dict[str, Any]) -> None:
    _make(path.parent)
    draft = None
    try:
        handle, draft = tempfile.mkstemp(prefix=".draft-", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(plain, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)  # noqa: PTH105 - the draft is a text
        draft = None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if draft is not None:
            with contextlib.suppress(OSError):
                os.unlink(draft)  # noqa: PTH108 - likewise
