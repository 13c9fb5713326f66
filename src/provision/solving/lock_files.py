"""The files of locks beside an environment file: found, read, and written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.decode.document import read_bytes, shown_path
from provision.decode.text import RefusedTextError, text_of
from provision.environment.digest import digest
from provision.environment.lock import NO_CUDA, Lock, NewerLockError, file_stem, parse_lock, render
from provision.errors import BadFileError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from provision.environment.spec import EnvironmentSpec


def find_locks(environment: Path) -> tuple[Lock, ...]:
    """Return all locks of an environment file, those that stand beside it.

    Raises:
        BadFileError: one of them cannot be taken.
    """
    return tuple(read_lock(path) for path in lock_paths(environment))


def lock_paths(environment: Path) -> list[Path]:
    """Return where the locks of an environment file are, whatever stands in them."""
    return sorted(environment.parent.glob(f"{environment.stem}.linux-*-*.lock"))


def machine_said(path: Path) -> tuple[str, str, str | None, str]:
    """Return platform, CUDA, glibc and processor that a lock was for, by its comments, else by its name.

    For a lock that cannot be taken any more, such as one with the marks of a merge: it is made anew for these.
    """
    try:
        text = read_bytes(path).decode("utf-8", "replace")
    except BadFileError:
        text = ""
    said = {found["key"]: found["value"] for found in re.finditer(r"(?m)^# (?P<key>[a-z]+): (?P<value>\S+)$", text)}
    _, _, kind = path.name.removesuffix(".lock").rpartition(".linux-")
    bits, _, card = kind.rpartition("-")
    least = NO_CUDA if card == "cpu" else f"{card.removeprefix('cuda')}.0"
    return f"linux-{bits}", said.get("cuda", least), said.get("glibc"), said.get("archspec", "")


def read_lock(path: Path) -> Lock:
    """Return one lock.

    Raises:
        BadFileError: it cannot be taken; says what to do.
        UsageError: a newer provision wrote it.
    """
    beside = requirements_of(path)
    shown = shown_path(path)
    try:
        text = text_of(read_bytes(path))
        requirements = text_of(read_bytes(beside)) if beside.exists() else None
        return parse_lock(text, requirements, shown)
    except RefusedTextError as error:
        raise BadFileError(
            f"{shown}:{error.line}: {error.message}", hint="provision env lock    writes it anew"
        ) from None
    except NewerLockError as error:
        raise UsageError(f"{shown}: {error}", hint="pip install --upgrade 'provision-gpu[lock]'") from None
    except ValueError as error:
        raise BadFileError(f"{shown}: {error}", hint="provision env lock    writes it anew") from None


def is_fresh(lock: Lock, spec: EnvironmentSpec, variant: str | None) -> bool:
    """Whether a lock was made from the environment file as it is."""
    return lock.asked == digest(spec, lock.platform, variant, cuda=lock.cuda != NO_CUDA)


def requirements_of(path: Path) -> Path:
    """Return the file of a lock's pip part."""
    return path.with_name(path.name.removesuffix(".lock") + ".requirements.txt")


def lock_path(environment: Path, platform: str, cuda: str) -> Path:
    """Return where a lock is written."""
    return environment.with_name(file_stem(environment.stem, platform, cuda) + ".lock")


def texts(environment: Path, lock: Lock) -> dict[Path, str | None]:
    """Return what is to stand in each of a lock's files; None: such a file must not be there."""
    path = lock_path(environment, lock.platform, lock.cuda)
    conda, pip = render(lock, path.name.removesuffix(".lock"))
    # The pip part first: the conda part says which one belongs to it, so a kill between the two is seen.
    return {requirements_of(path): pip, path: conda}
