"""Ledgers of tests, and their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.ledger.rows import HostRun, Run
from provision.ledger.store import open_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from provision.ledger.rows import Row


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}


def write(environ: dict[str, str], *rows: Row) -> None:
    ledger = open_ledger(environ, writing=True)
    assert ledger.write(rows), ledger.problem
    ledger.close()


def run(name: str, at: float, project: str = "mine", **more: object) -> Run:
    values = {"command": "up", "argv": ("gpu box",), "ended": at + 5, "exit_code": 0, "schedule": None, **more}
    return Run(id=name, project=project, started=at, version="1", user="me", **values)  # type: ignore[arg-type]


def on(run: str, at: float, host: str = "a", verdict: str | None = "fit: all") -> HostRun:
    return HostRun(run, host, "root@a", at, at + 4, "converged", None, verdict, changed=False)
