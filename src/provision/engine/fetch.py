"""Brings a file to a host: the host downloads it; where it has no way out, we download it once and send it."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from provision.engine.perform import NO_WAY_OUT, failed
from provision.engine.take import take
from provision.errors import LinkLostError, StepFailedError
from provision.events import CommandRan, Note, StepOutput
from provision.remote import catalogue

if TYPE_CHECKING:
    from provision.engine.perform import Performer
    from provision.model.plan import Fetch, Step

_downloads = threading.Lock()
_taken: dict[tuple[str, tuple[str, ...]], str] = {}
"""The sha256 of what this process downloaded, by name and addresses; guarded by `_downloads`."""


def fetch(performer: Performer, step: Step, action: Fetch) -> None:
    """Have the file in the host's cache, checked.

    Raises:
        StepFailedError: no way led to it, or its content is not the expected one.
    """
    if action.local is not None:
        path = Path(action.local).expanduser()
        _refuse_what_is_no_installer(path)
        digest = _checked(path, action)
        _send(performer, step, action, path, digest)
    elif action.at_once:
        path = _download(performer, action, "")
        digest = _checked(path, action)
        _send(performer, step, action, path, digest)
    else:
        code, output = performer.detached(catalogue.fetch(action.state_dir, action.name, action.sha256, action.urls))
        found = re.findall(r"^sha256 ([0-9a-f]{64})$", output, re.MULTILINE)
        if code == 0 and found:
            # The last is the script's own word: what comes before may be a server's.
            digest = found[-1]
            _tell_the_detour(performer, action, output)
        elif code == NO_WAY_OUT:
            performer.emit(StepOutput("the host has no way out: fetching it here, and sending it"))
            path = _download(performer, action, output)
            digest = _checked(path, action)
            _send(performer, step, action, path, digest)
        else:
            raise failed(step.name, code, output, _wrong_content)
    if action.sha256 is None and action.pin is not None:
        action.pin(digest)
        performer.emit(Note(f"{action.name} is pinned from now on: sha256 {digest}"))


def _tell_the_detour(performer: Performer, action: Fetch, output: str) -> None:
    """Say where the file came from where that was not the first address, and why."""
    taken = re.findall(r"^taken from (.*)$", output, re.MULTILINE)
    passed = re.findall(r"^(?:not|wrong content) from .*$", output, re.MULTILINE)
    if taken and passed:
        performer.emit(Note(f"{action.name} came from {taken[-1]} ({'; '.join(passed)})"))


def _wrong_content(output: str) -> tuple[str, str | None] | None:
    found = re.findall(r"wrong content from .*", output)
    if not found:
        return None
    return found[-1], "a mirror or a login page of the network answered instead; nothing of it was run"


def _refuse_what_is_no_installer(path: Path) -> None:
    """A playbook may be a stranger's: it must not make us send a private key, or read a device without end."""
    try:
        begins = None
        if path.is_file():
            with path.open("rb") as file:
                begins = file.read(2)
    except OSError as error:
        raise StepFailedError(f"{path}: {error.strerror}") from error
    if begins is None:
        raise StepFailedError(f"{path}: No such file")
    if begins != b"#!":
        raise StepFailedError(
            f"{path}: not an installer: those begin with #!", hint="correct `installer:` in the playbook"
        )


def _checked(path: Path, action: Fetch) -> str:
    try:
        with path.open("rb") as file:
            digest = hashlib.new("sha256")
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise StepFailedError(f"{path}: {error.strerror}") from error
    if action.sha256 is not None and digest.hexdigest() != action.sha256:
        raise StepFailedError(
            f"{path}: its sha256 is {digest.hexdigest()}, expected {action.sha256}",
            hint="it is another version or damaged; correct `sha256:` only if you trust the file",
        )
    return digest.hexdigest()


def _send(performer: Performer, step: Step, action: Fetch, path: Path, digest: str) -> None:
    size = path.stat().st_size
    program = catalogue.receive(action.state_dir, digest, size)
    performer.emit(StepOutput(f"sending {path.name} ({size / 1e6:.1f} MB)"))
    for attempt in range(3):
        started = time.monotonic()
        try:
            with path.open("rb") as file:
                done = performer.link.run(program, stream=file)
        except LinkLostError as error:
            performer.emit(CommandRan(program.shown, None, time.monotonic() - started))
            if attempt == 2:  # noqa: PLR2004 - the third of three
                raise
            performer.recover(error)
        else:
            performer.emit(CommandRan(program.shown, done.code, done.seconds))
            if done.code != 0:
                raise failed(step.name, done.code, done.stderr.decode("utf-8", "replace"), None)
            return


def our_cache() -> Path:
    """Return the folder of what we download for hosts.

    Raises:
        StepFailedError: it cannot be made.
    """
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "provision"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError) as error:
        raise StepFailedError(f"there is no place to download to: {error}") from error
    return folder


def _download(performer: Performer, action: Fetch, seen: str) -> Path:
    """Download once for all hosts into our own cache; a file there is checked again before it is used."""
    target = our_cache() / action.name
    with _downloads:
        # Without a checksum nobody could tell what an earlier run had left there; what this one took it knows.
        known = action.sha256 or _taken.get((action.name, action.urls))
        if known is not None and target.exists() and _digest(target) == known:
            return target
        problems = []
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        for url in action.urls:
            try:
                take(url, part, resume=action.sha256 is not None, pulse=performer.stop.during_step)
                digest = _digest(part)
                if action.sha256 in {None, digest}:
                    part.replace(target)
                    _taken[action.name, action.urls] = digest
                    performer.emit(StepOutput(f"taken from {url}"))
                    return target
                problems.append(f"{url}: wrong content, sha256 {digest}, expected {action.sha256}")
            except (OSError, ValueError) as error:
                problems.append(f"{url}: {error}")
            finally:
                part.unlink(missing_ok=True)
    raise StepFailedError(
        f"{action.name}: neither the host nor this machine can download it ({'; '.join(problems)})",
        hint="give a reachable `installer:` (URL or local file) in the playbook, or `mirrors:` for the host",
        detail=f"the host said:\n{seen}" if seen else None,
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
