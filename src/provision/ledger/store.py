"""The file: opened so that no trouble with it becomes a run's, written in whole transactions, pruned by age."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from typing import TYPE_CHECKING, Any, TypeVar

from provision.ledger.place import ledger_path, on_network
from provision.ledger.rows import KEPT, Row
from provision.ledger.schema import MIGRATIONS, TABLES, VERSION, put, row_of, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

R = TypeVar("R", bound=Row)
WAIT = 0.8
"""Seconds that another process may keep us from the file."""
PRUNED_EVERY = 86400.0
TROUBLE = (OSError, sqlite3.Error, RuntimeError, ValueError, OverflowError)
"""What a file may do to us: also that no home is known, and a path that has no spelling."""


class Ledger:
    """The ledger, open; with a `problem` it reads as empty and swallows what is written."""

    def __init__(self, path: Path | None, connection: sqlite3.Connection | None, problem: str | None = None) -> None:
        self.path = path
        self.problem = problem
        """Why it holds not all that it should, in a line that is safe to extend; ``None``: all is well."""
        self._connection = connection

    def write(self, rows: Iterable[Row], also: Callable[[Ledger], Iterable[Row]] | None = None) -> bool:
        """Write rows in one transaction, and return whether they stand there now.

        Args:
            rows: What is to be written; a row with a key that is there takes that one's place.
            also: Returns more rows, from what it reads within the transaction.
        """
        connection = self._connection
        if connection is None:
            return False
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                for row in rows:
                    connection.execute(*put(row))
                for row in also(self) if also is not None else ():
                    connection.execute(*put(row))
                self._prune(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except TROUBLE as error:
            self._fail(error)
            return False
        return True

    def rows(self, kind: type[R], where: str = "", values: Sequence[Any] = ()) -> list[R]:
        """Return the rows of a class; what is no row is left out.

        Args:
            kind: One of the classes of `provision.ledger.rows`.
            where: What follows the table's name in the statement.
            values: Those of its question marks.
        """
        if self._connection is None:
            return []
        try:
            found = self._connection.execute(f"{select(kind)} {where}", tuple(values)).fetchall()
        except TROUBLE as error:
            self._fail(error)
            return []
        return [one for one in (row_of(kind, each) for each in found) if one is not None]

    def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except TROUBLE as error:
                self.problem = self.problem or _told(self.path, error)

    def _fail(self, error: BaseException) -> None:
        # What comes after the first trouble follows from it.
        self.problem = self.problem or _told(self.path, error)
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except TROUBLE:
                pass  # the first trouble is the one to tell

    @staticmethod
    def _prune(connection: sqlite3.Connection) -> None:
        """Remove what is old; once a day is enough."""
        now = time.time()
        last = connection.execute("SELECT value FROM kept WHERE name = 'pruned'").fetchone()
        try:
            # A time that is still to come was written by a clock that went wrong.
            if last is not None and 0 <= now - float(last[0]) < PRUNED_EVERY:
                return
        except (TypeError, ValueError):
            pass  # nobody of ours wrote that
        for table in TABLES.values():
            connection.execute(f"DELETE FROM {table.name} WHERE {table.time} < ?", (now - KEPT,))  # noqa: S608 - ours
        connection.execute("INSERT OR REPLACE INTO kept VALUES ('pruned', ?)", (str(now),))


def open_ledger(environ: Mapping[str, str], *, writing: bool, wait: float = WAIT) -> Ledger:
    """Open the user's ledger; whatever is wrong with it becomes its `problem`.

    Args:
        environ: Where the state folder is found.
        writing: Make it where there is none; else it reads as empty, and nothing is made.
        wait: Seconds that another process may keep us from it.
    """
    path: Path | None = None
    try:
        path = ledger_path(environ)
        if not writing and not path.exists():
            return Ledger(path, None)
        return _open(path, writing=writing, wait=wait)
    except TROUBLE as error:
        return Ledger(path, None, _told(path, error))


def _open(path: Path, *, writing: bool, wait: float) -> Ledger:
    if writing:
        _make(path)
    seen = path.stat()
    if not stat.S_ISREG(seen.st_mode):
        raise ValueError("is not a file")
    connection = sqlite3.connect(path, timeout=wait, isolation_level=None)
    try:
        # Names that hosts gave may hold anything: what is no UTF-8 must not stop a reader.
        connection.text_factory = lambda value: value.decode("utf-8", "replace")
        version = _version(connection)
        if writing:
            _set_up(connection, path)
        if version < VERSION:
            _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return Ledger(path, connection)


def _version(connection: sqlite3.Connection) -> int:
    """Return how many migrations were done; what is not ours, or of a newer provision, is left alone."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise ValueError(f"was written by a newer provision (version {version}, known here: {VERSION})")
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise ValueError("holds tables of another program")
    return version


def _make(path: Path) -> None:
    """Create an empty file, the user's alone; SQLite gives those beside it the same permissions."""
    try:
        seen = path.lstat()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        return
    if stat.S_ISREG(seen.st_mode) and seen.st_mode & 0o077 and seen.st_uid == os.getuid():
        path.chmod(0o600)


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    """Choose the journal: a log beside the file, unless other machines may hold the file open too."""
    wanted = "delete" if on_network(path.parent) else "wal"
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
        try:
            connection.execute(f"PRAGMA journal_mode = {wanted}")
        except sqlite3.OperationalError:
            pass  # others have it open: whoever comes next changes it, and until then the present one serves
    # A power cut may cost the last runs, never the file: a run is not to wait for the disk.
    connection.execute("PRAGMA synchronous = NORMAL")


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again: another process may have been first.
        version = _version(connection)
        for statements in MIGRATIONS[version:]:
            for one in statements:
                connection.execute(one)
        if version < VERSION:
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _told(path: Path | None, error: BaseException) -> str:
    """Return what is wrong with the file, the file first."""
    what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{path or 'the ledger'}: {what}"
