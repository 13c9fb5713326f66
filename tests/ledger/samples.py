"""Rows of each kind, and a file as the first version left it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from provision.ledger.rows import (
    FactChanged,
    FindingSeen,
    GenerationSeen,
    HostRun,
    HostState,
    JobSeen,
    LockSeen,
    Notice,
    Run,
    StepRun,
)
from provision.ledger.schema import MIGRATIONS

if TYPE_CHECKING:
    from pathlib import Path

NOW = 4_000_000_000.0
"""Late enough to be kept whenever the tests run."""


def a_run(name: str = "20960101T000000Z-000001", **changes: object) -> Run:
    """Return a run of `up`."""
    values: dict[str, object] = {
        "id": name,
        "command": "up",
        "argv": ("gpu-box",),
        "project": "mymodel",
        "started": NOW,
        "ended": NOW + 2,
        "exit_code": 0,
        "version": "0.1.0",
        "user": "dev",
        "schedule": None,
    }
    return Run(**{**values, **changes})  # type: ignore[arg-type]


def a_host(run: str, host: str = "gpu-box", at: float = NOW, **changes: object) -> HostRun:
    """Return what a run came to on a host."""
    values: dict[str, object] = {
        "run": run,
        "host": host,
        "target": f"root@{host}:22",
        "started": at,
        "ended": at + 1,
        "outcome": "converged",
        "error": None,
        "verdict": "fit: no GPU",
        "changed": False,
    }
    return HostRun(**{**values, **changes})  # type: ignore[arg-type]


def a_finding(run: str, code: str = "GPU-XID", at: float = NOW, host: str = "gpu-box") -> FindingSeen:
    """Return a warning about a card."""
    return FindingSeen(run, host, at, code, "warning", f"GPU 0: {code} was seen", "restart it", "GPU 0")


EVERY = (
    a_run(),
    a_host("20960101T000000Z-000001"),
    StepRun("r", "h", 1, "build mymodel", "build mymodel 1-3f2a91bc", NOW, 1.5, "done", "it changed"),
    a_finding("r"),
    FactChanged("r", "h", NOW, "driver", "550.1", None),
    HostState("h", NOW, "r", {"driver": "550.1", "drift": ["ENV-DRIFT"], "verified_at": NOW}),
    GenerationSeen("r", "h", NOW, "mymodel/mymodel", "1-3f2a91bc", "p", "built"),
    LockSeen("r", NOW, "/p/conda-lock.yml", "linux-64", None, "d", 3),
    JobSeen("h", "j", "train", "running", None, NOW, None, NOW, (0, 1)),
    Notice("k", NOW, "drift", "h", "said"),
)


def first_version(path: Path) -> None:
    """Write a ledger as the first version did, with one run in it."""
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as file:
        for one in MIGRATIONS[0]:
            file.execute(one)
        file.execute("PRAGMA user_version = 1")
        file.execute(
            "INSERT INTO runs VALUES ('20960101T000000Z-0000aa', 'up', '[\"old\"]', NULL, ?, ?, 0, '0.0.9', 'dev')",
            (NOW, NOW + 1),
        )
    file.close()
