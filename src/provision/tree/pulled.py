"""Writes what was pulled, below one folder: the only writer there, and nothing below that folder is ever followed.

Whatever the names in a listing are, and whoever exchanges folders for links meanwhile: each folder on the way is
opened by itself, from the one above it, and is refused where it is none.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shlex
import stat
from pathlib import Path

from provision.errors import UsageError
from provision.sync.manifest import LONGEST_NAME
from provision.sync.part import PART

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = 1 << 20
PRIVATE = 0o600
_ENDS = frozenset({Path("/"), Path()})


def destination(text: str) -> tuple[Path, bytes | None]:
    """Return the folder that DEST means, and the new name in it of what is pulled; ``None``: it keeps its own.

    As scp does it: an existing folder, or a name that ends with a slash, is where it goes; any other is its new name.
    """
    path = Path(text or ".")
    if text.endswith("/") or path.is_dir() or path.name in ("", ".."):
        return path, None
    return path.parent, os.fsencode(path.name)


def check_destination(text: str) -> None:
    """Check that DEST can be where something is put, before anybody connects.

    Raises:
        UsageError: a file stands where a folder must be, or the folder for a new name is not there, or is closed.
    """
    folder, name = destination(text)
    way = next(one for one in (folder, *folder.parents) if os.path.lexists(one) or one in _ENDS)
    try:
        is_folder = stat.S_ISDIR(way.stat().st_mode)
    except OSError as error:
        raise UsageError(f"{way} here: {error.strerror}", hint="name a folder as DEST that is there") from error
    if not is_folder:
        raise UsageError(f"{way} here is no folder: nothing can be put in it", hint="give another DEST")
    if way == folder:
        return
    if name is not None:
        raise UsageError(f"there is no folder {folder} here", hint=f"make it: mkdir -p {shlex.quote(str(folder))}")
    if not os.access(way, os.W_OK | os.X_OK):
        raise UsageError(
            f"{folder} cannot be made here: you may not write to {way}", hint="give another DEST, or ask its owner"
        )


class InTheWayError(Exception):
    """Something stands where a path must go, and stays as it is; the text says what."""


class Place:
    """The folder that everything goes into; it may be reached through links, as the user named it."""

    def __init__(self, path: Path, umask: int) -> None:
        self.path = path
        self._umask = umask
        self._base = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._way: list[tuple[bytes, int]] = []

    def close(self) -> None:
        """Let go of every folder."""
        self._leave(0)
        os.close(self._base)

    def free_bytes(self) -> int:
        """Return how much fits on the file system."""
        found = os.fstatvfs(self._base)
        return found.f_bavail * found.f_frsize

    def folds_case(self) -> bool:
        """Return whether names that differ in case alone are one name here."""
        name = f".provision-Case-{secrets.token_hex(8)}"
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, PRIVATE, dir_fd=self._base))
        except OSError:
            return True
        try:
            os.stat(name.swapcase(), dir_fd=self._base, follow_symlinks=False)
        except FileNotFoundError:
            return False
        finally:
            os.unlink(name, dir_fd=self._base)
        return True

    def look(self, parts: tuple[bytes, ...]) -> os.stat_result | None:
        """Return what stands there; ``None`` where nothing does.

        Raises:
            InTheWayError: what stands above it is no folder.
        """
        folder = self._folder(parts[:-1], make=False)
        return None if folder is None else _lstat(folder, parts[-1])

    def folder(self, parts: tuple[bytes, ...]) -> None:
        """Make a folder where there is none.

        Raises:
            InTheWayError: something else is there.
            OSError: it cannot be made.
        """
        self._made(parts)

    def part(self, parts: tuple[bytes, ...], *, resume: bool) -> Part:
        """Begin a file, or go on with what there is of it.

        Raises:
            InTheWayError: something else is there, or another pull is at work on it.
            OSError: it cannot be made.
        """
        return Part(os.dup(self._made(parts[:-1])), parts[-1], self._umask, resume=resume)

    def unfinished(self, parts: tuple[bytes, ...]) -> int:
        """Return how many bytes of a file an earlier pull left here.

        Raises:
            InTheWayError: what stands above it is no folder.
        """
        found = self.look((*parts[:-1], part_name(parts[-1])))
        return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else 0

    def link(self, parts: tuple[bytes, ...], target: bytes, expected: os.stat_result | None) -> None:
        """Put a link there; where it leads was judged before.

        Raises:
            InTheWayError: what is there is not what was expected.
            OSError: it cannot be made.
        """
        folder = self._made(parts[:-1])
        beside = part_name(parts[-1])
        _remove_part(folder, beside)
        os.symlink(target, beside, dir_fd=folder)
        _put(folder, beside, parts[-1], expected)

    def target(self, parts: tuple[bytes, ...]) -> bytes:
        """Return where a link leads.

        Raises:
            OSError: it is none.
        """
        folder = self._folder(parts[:-1], make=False)
        return b"" if folder is None else os.readlink(parts[-1], dir_fd=folder)

    def digest(self, parts: tuple[bytes, ...]) -> bytes | None:
        """Return the sha256 of a file's content; ``None`` where there is none."""
        folder = self._folder(parts[:-1], make=False)
        if folder is None:
            return None
        try:
            file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            return None
        try:
            return _hashed(file).digest() if stat.S_ISREG(os.fstat(file).st_mode) else None
        finally:
            os.close(file)

    def _made(self, names: tuple[bytes, ...]) -> int:
        found = self._folder(names, make=True)
        if found is None:
            raise InTheWayError("its folder was removed while it was pulled")
        return found

    def _folder(self, names: tuple[bytes, ...], *, make: bool) -> int | None:
        """Return a folder's descriptor, valid until the next call."""
        same = 0
        while same < min(len(names), len(self._way)) and self._way[same][0] == names[same]:
            same += 1
        self._leave(same)
        for depth, name in enumerate(names[same:], same + 1):
            above = self._way[-1][1] if self._way else self._base
            found = _opened(above, name, self.path.joinpath(*map(os.fsdecode, names[:depth])), make=make)
            if found is None:
                return None
            self._way.append((name, found))
        return self._way[-1][1] if self._way else self._base

    def _leave(self, depth: int) -> None:
        while len(self._way) > depth:
            os.close(self._way.pop()[1])


class Part:
    """A file that is not whole yet, under a name of its own beside its place; locked as long as it is open."""

    def __init__(self, folder: int, name: bytes, umask: int, *, resume: bool) -> None:
        self._folder = folder
        self._name = name
        self._umask = umask
        self._part = part_name(name)
        try:
            self._file = self._open(resume=resume)
        except BaseException:
            os.close(folder)
            raise
        self.length = os.fstat(self._file).st_size
        self.sha256 = hashlib.sha256()
        if self.length:
            self.sha256 = _hashed(self._file)

    def write(self, data: bytes) -> None:
        """Add to it.

        Raises:
            OSError: it does not fit.
        """
        view = memoryview(data)
        while view:
            written = os.write(self._file, view)
            self.sha256.update(view[:written])
            self.length += written
            view = view[written:]

    def restart(self) -> None:
        """Throw away what there is of it."""
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self.length, self.sha256 = 0, hashlib.sha256()

    def place(self, mtime_ns: int, expected: os.stat_result | None, *, executable: bool) -> os.stat_result:
        """Move the whole file to its place and return what stands there now.

        Raises:
            InTheWayError: what is there is not what was expected.
            OSError: it cannot be moved.
        """
        os.fchmod(self._file, (0o777 if executable else 0o666) & ~self._umask)
        with contextlib.suppress(OSError, OverflowError):  # a time that this file system does not know
            os.utime(self._file, ns=(mtime_ns, mtime_ns))
        mine, found = os.fstat(self._file), _lstat(self._folder, self._part)
        if found is None or (found.st_dev, found.st_ino) != (mine.st_dev, mine.st_ino):
            raise InTheWayError("its unfinished file was exchanged while it was pulled")
        _put(self._folder, self._part, self._name, expected)
        return mine

    def close(self, *, keep: bool) -> None:
        """Let go of it; what is not whole stays for the next time where `keep` says so."""
        if not keep:
            mine, found = os.fstat(self._file), _lstat(self._folder, self._part)
            if found is not None and (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino):
                os.unlink(self._part, dir_fd=self._folder)
        os.close(self._file)
        os.close(self._folder)

    def _open(self, *, resume: bool) -> int:
        found = self._old(resume=resume)
        if found is not None:
            return found
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(self._part, flags, PRIVATE, dir_fd=self._folder)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file

    def _old(self, *, resume: bool) -> int | None:
        """Return the unfinished file of an earlier pull, if it is to go on; else there is none any more."""
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            file = os.open(self._part, flags, dir_fd=self._folder)
        except FileNotFoundError:
            return None
        except OSError:
            _remove_part(self._folder, self._part)
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise InTheWayError("another pull is at work on it") from None
        except OSError:
            pass  # a file system without locks
        status = os.fstat(file)
        ours = stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == os.geteuid()
        if resume and ours:
            return file
        os.close(file)
        _remove_part(self._folder, self._part)
        return None


def part_name(name: bytes) -> bytes:
    """Return the name of an unfinished file, which is never longer than a name can be."""
    whole = b"." + name + PART
    if len(whole) <= LONGEST_NAME:
        return whole
    return b"." + hashlib.sha256(name).hexdigest().encode() + PART


def _opened(above: int, name: bytes, path: Path, *, make: bool) -> int | None:
    try:
        return os.open(name, _FOLDER, dir_fd=above)
    except FileNotFoundError:
        if not make:
            return None
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=above)
    except OSError as error:
        raise _in_the_way(above, name, path, error) from error
    try:
        return os.open(name, _FOLDER, dir_fd=above)
    except OSError as error:
        raise _in_the_way(above, name, path, error) from error


def _in_the_way(above: int, name: bytes, path: Path, error: OSError) -> Exception:
    if error.errno not in {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}:
        return error
    found = _lstat(above, name)
    what = "a link" if found is not None and stat.S_ISLNK(found.st_mode) else "a file"
    return InTheWayError(f"{path} here is {what}, and a folder must go there")


def _put(folder: int, beside: bytes, name: bytes, expected: os.stat_result | None) -> None:
    """Rename into place where still stands what was seen there before."""
    if not _same(_lstat(folder, name), expected):
        _remove_part(folder, beside)
        raise InTheWayError("it was changed here while it was pulled")
    os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)


def _same(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) == (
        other.st_dev,
        other.st_ino,
        other.st_size,
        other.st_mtime_ns,
    )


def _lstat(folder: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _remove_part(folder: int, name: bytes) -> None:
    """Remove what has the name of an unfinished file: it is ours by that name, and a link is not followed."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError) as error:
        raise InTheWayError(f"a folder stands where its unfinished file must go: {os.fsdecode(name)}") from error


def _hashed(file: int) -> hashlib._Hash:
    """Return the hash of a file's content; the file stands at its end then."""
    digest = hashlib.sha256()
    os.lseek(file, 0, os.SEEK_SET)
    while data := os.read(file, _READ):
        digest.update(data)
    return digest
