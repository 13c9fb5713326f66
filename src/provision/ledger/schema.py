"""The tables, how a row becomes one of them and back, and how older files become as new ones."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from provision.ledger.rows import (
    FactChanged,
    FindingSeen,
    GenerationSeen,
    HostRun,
    HostState,
    JobSeen,
    LockSeen,
    Notice,
    Row,
    Run,
    StepRun,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Table:
    """Where rows of one class are kept."""

    name: str
    time: str
    """The column that tells a row's age."""


TABLES: dict[type[Any], Table] = {
    Run: Table("runs", "started"),
    HostRun: Table("host_runs", "started"),
    StepRun: Table("steps", "started"),
    FindingSeen: Table("findings", "at"),
    FactChanged: Table("facts", "at"),
    GenerationSeen: Table("generations", "at"),
    LockSeen: Table("locks", "at"),
    HostState: Table("states", "at"),
    JobSeen: Table("jobs", "at"),
    Notice: Table("notices", "at"),
}

_FIRST = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, command TEXT NOT NULL, argv TEXT NOT NULL, project TEXT, started REAL NOT NULL, ended REAL,
    exit_code INTEGER, version TEXT NOT NULL, user TEXT NOT NULL
);
CREATE TABLE host_runs (
    run TEXT NOT NULL, host TEXT NOT NULL, target TEXT NOT NULL, started REAL NOT NULL, ended REAL,
    outcome TEXT NOT NULL, error TEXT, verdict TEXT, changed INTEGER NOT NULL, PRIMARY KEY (run, host)
);
CREATE TABLE steps (
    run TEXT NOT NULL, host TEXT NOT NULL, number INTEGER NOT NULL, task TEXT NOT NULL, title TEXT NOT NULL,
    started REAL NOT NULL, seconds REAL, outcome TEXT NOT NULL, reason TEXT, PRIMARY KEY (run, host, number)
);
CREATE TABLE findings (
    run TEXT NOT NULL, host TEXT NOT NULL, at REAL NOT NULL, code TEXT NOT NULL, severity TEXT NOT NULL,
    title TEXT NOT NULL, fix TEXT, subject TEXT, PRIMARY KEY (run, host, code, title)
);
CREATE TABLE facts (
    run TEXT NOT NULL, host TEXT NOT NULL, at REAL NOT NULL, name TEXT NOT NULL, "before" TEXT, "after" TEXT,
    PRIMARY KEY (run, host, name)
);
CREATE TABLE generations (
    run TEXT NOT NULL, host TEXT NOT NULL, at REAL NOT NULL, environment TEXT NOT NULL, generation TEXT NOT NULL,
    digest TEXT, event TEXT NOT NULL, PRIMARY KEY (run, host, environment, generation, event)
);
CREATE TABLE locks (
    run TEXT NOT NULL, at REAL NOT NULL, file TEXT NOT NULL, platform TEXT NOT NULL, cuda TEXT, digest TEXT NOT NULL,
    changes INTEGER NOT NULL, PRIMARY KEY (run, file)
);
CREATE TABLE states (host TEXT PRIMARY KEY, at REAL NOT NULL, run TEXT NOT NULL, facts TEXT NOT NULL);
CREATE TABLE jobs (
    host TEXT NOT NULL, id TEXT NOT NULL, name TEXT, state TEXT NOT NULL, exit_code INTEGER, started REAL, ended REAL,
    at REAL NOT NULL, gpus TEXT NOT NULL, PRIMARY KEY (host, id)
);
CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE INDEX runs_started ON runs (started);
CREATE INDEX host_runs_host ON host_runs (host, started);
CREATE INDEX steps_started ON steps (started);
CREATE INDEX findings_at ON findings (at);
CREATE INDEX facts_at ON facts (at);
CREATE INDEX generations_host ON generations (host, at);
"""
_SECOND = """
ALTER TABLE runs ADD COLUMN schedule TEXT;
CREATE TABLE notices (key TEXT PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, host TEXT, text TEXT NOT NULL);
"""
MIGRATIONS: tuple[tuple[str, ...], ...] = tuple(
    tuple(one.strip() for one in text.split(";\n") if one.strip()) for text in (_FIRST, _SECOND)
)
"""What takes a file from each version to the next one; PRAGMA user_version says how many were done."""
VERSION = len(MIGRATIONS)

_LISTS = frozenset({(Run, "argv"), (JobSeen, "gpus")})
_MAPPINGS = frozenset({(HostState, "facts")})
_TRUTHS = frozenset({(HostRun, "changed")})


def columns(kind: type[Any]) -> tuple[str, ...]:
    """Return the columns of a class, in the order of its fields."""
    return tuple(one.name for one in fields(kind))


def put(row: Row) -> tuple[str, list[Any]]:
    """Return the statement that writes a row, in the place of one with the same key, and its values."""
    kind = type(row)
    names = columns(kind)
    listed = ", ".join(f'"{one}"' for one in names)
    marks = ", ".join("?" * len(names))
    text = f"INSERT OR REPLACE INTO {TABLES[kind].name} ({listed}) VALUES ({marks})"  # noqa: S608 - names of ours
    return text, [_value(kind, one, getattr(row, one)) for one in names]


def select(kind: type[Any]) -> str:
    """Return the beginning of the statement that reads rows of a class."""
    listed = ", ".join(f'"{one}"' for one in columns(kind))
    return f"SELECT {listed} FROM {TABLES[kind].name}"  # noqa: S608 - names of ours


def row_of(kind: type[R], values: Sequence[Any]) -> R | None:
    """Return the row that was read; ``None`` where somebody else wrote it and it is none."""
    read: dict[str, Any] = {}
    try:
        for name, value in zip(columns(kind), values, strict=True):
            if (kind, name) in _LISTS:
                read[name] = tuple(_of_type(json.loads(value), list))
            elif (kind, name) in _MAPPINGS:
                read[name] = _of_type(json.loads(value), dict)
            else:
                read[name] = bool(value) if (kind, name) in _TRUTHS else value
    except (TypeError, ValueError, RecursionError):
        return None
    return kind(**read)


def _of_type(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _value(kind: type[Any], name: str, value: Any) -> Any:
    if (kind, name) in _LISTS:
        return json.dumps(list(value))
    if (kind, name) in _MAPPINGS:
        return json.dumps(dict(value))
    # A path that is no UTF-8 has what no text of SQLite may have.
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value
