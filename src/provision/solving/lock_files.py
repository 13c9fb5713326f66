"""The files of locks beside an environment file: found, read, and written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.decode.document import read_bytes, shown_path
from provision.decode.text import RefusedTextError, text_of
from provision.environment.digest import digest
from provision.environment.lock import NO_CUDA, Lock, file_stem, fitting, parse_lock, render
from provision.errors import BadFileError

if TYPE_CHECKING:
    from pathlib import Path

    from provision.environment.spec import EnvironmentSpec


def find_locks(environment: Path) -> tuple[Lock, ...]:
    """Return all locks of an environment file, those that stand beside it.

    Raises:
        BadFileError: one of them cannot be taken.
    """
    paths = sorted(environment.parent.glob(f"{environment.stem}.linux-*-*.lock"))
    return tuple(read_lock(path) for path in paths)


def read_lock(path: Path) -> Lock:
    """Return one lock.

    Raises:
        BadFileError: it cannot be taken; says what to do.
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


__all__ = ["find_locks", "fitting", "is_fresh", "lock_path", "read_lock", "requirements_of", "texts"]
