"""The one folder that the demo lives in: on a disk that has room and runs programs, gone at the end."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NOEXEC = getattr(os, "ST_NOEXEC", 0)


def candidates(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where it may be, the best place first."""
    named = [Path(environ[key]) for key in ("TMPDIR", "TEMP", "TMP") if environ.get(key)]
    cache = Path(environ["HOME"]) / ".cache" if environ.get("HOME") else None
    return tuple(one for one in (*named, Path("/tmp"), Path("/var/tmp"), cache) if one is not None)  # noqa: S108 - mkdtemp makes the folder


def choose(places: tuple[Path, ...], need: int) -> Path:
    """Return the first place with ``need`` bytes free where programs can run.

    Raises:
        UnfitError: there is none; says what is wrong with each.
    """
    problems = []
    for place in dict.fromkeys(places):
        problem = _problem(place, need)
        if problem is None:
            return place.absolute()
        problems.append(f"{place}: {problem}")
    raise UnfitError(f"no place for the demo ({'; '.join(problems)})", hint="TMPDIR=/a/larger/disk provision demo")


def _problem(place: Path, need: int) -> str | None:
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        return "no folder to write to"
    if any(one.isspace() for one in str(place.absolute())):
        return "its path has a space, which Miniconda's installer refuses"
    if NOEXEC and os.statvfs(place).f_flag & NOEXEC:
        return "mounted noexec"
    free = shutil.disk_usage(place).free
    return f"{free / 1e9:.1f} GB free, {need / 1e9:.1f} needed" if free < need else None


@contextmanager
def temporary(place: Path, *, keep: bool) -> Iterator[Path]:
    """Make the folder, which only its owner can enter; remove it when the block ends, unless it is kept."""
    folder = Path(tempfile.mkdtemp(prefix="provision-demo-", dir=place)).resolve()
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, onerror=_open_up)  # type: ignore[arg-type,unused-ignore]


def _open_up(remove: Callable[[str], object], path: str, problem: object) -> None:  # noqa: ARG001 - the signature is shutil's
    """Remove what stood in a folder without write permission; a file that vanished meanwhile is no problem."""
    try:
        parent = Path(path).parent
        parent.chmod(stat.S_IRWXU)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(stat.S_IRWXU)
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink(missing_ok=True)
    except OSError:
        # What cannot be removed is left: the demo's own outcome must not hide behind it.
        return
