"""Ten processes write while one of them is killed again and again: what was committed stays, and can be read."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from provision.ledger import reading
from provision.ledger.place import ledger_path
from provision.ledger.store import open_ledger

SOURCE = Path(__file__).resolve().parents[2]
WRITERS = 10
KILLS = 100 if os.environ.get("PROVISION_SOAK") else 8
WRITER = """
import os, sys, time
import provision.ledger.store
from provision.ledger.store import open_ledger
from tests.ledger.samples import a_host, a_run

provision.ledger.store.on_network = lambda _: sys.argv[2] == "delete"
told = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
number = 0
while True:
    number += 1
    ledger = open_ledger(dict(os.environ), writing=True, wait=30)
    for _ in range(5):
        name = f"{os.getpid()}-{number}-{_}"
        if not ledger.write([a_run(name), *(a_host(name, f"host-{at}") for at in range(3))]):
            sys.exit(str(ledger.problem))
        # Said only once it is committed.
        os.write(told, f"{name}\\n".encode())
    ledger.close()
"""


@dataclass
class Writers:
    """Processes that write without end; each tells what it has committed in a file of its own."""

    folder: Path
    environ: dict[str, str]
    mode: str
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: int = 0

    def start(self) -> None:
        told = self.folder / f"told-{self.started}"
        self.started += 1
        self.running.append(
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(told), self.mode],
                env={**os.environ, **self.environ, "PYTHONPATH": f"{SOURCE / 'src'}:{SOURCE}"},
                stderr=subprocess.PIPE,
            )
        )

    def committed(self) -> set[str]:
        # A line that was cut by the kill was never said.
        whole = (one.read_text().rpartition("\n")[0].splitlines() for one in self.folder.glob("told-*"))
        return {name for lines in whole for name in lines}

    def kill(self, which: int) -> None:
        one = self.running.pop(which)
        assert one.poll() is None, one.stderr.read() if one.stderr else ""
        one.kill()
        one.wait()
        if one.stderr is not None:
            one.stderr.close()


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_was_committed_is_there_after_every_kill(mode: str, tmp_path: Path, environ: dict[str, str]) -> None:
    chosen = random.Random(mode)
    writers = Writers(tmp_path, environ, mode)
    try:
        for _ in range(WRITERS):
            writers.start()
        wait_for(writers, WRITERS)
        for _ in range(KILLS):
            before = len(writers.committed())
            writers.kill(chosen.randrange(len(writers.running)))
            writers.start()
            wait_for(writers, before + 1)
    finally:
        while writers.running:
            writers.kill(0)
    said = writers.committed()
    assert ledger_path(environ).with_name("ledger.sqlite-wal").exists() == (mode == "wal")
    ledger = open_ledger(environ, writing=True)
    there = {one.id for one in reading.runs(ledger)}
    hosts = reading.host_runs(ledger)
    assert ledger.problem is None
    ledger.close()
    assert said <= there, f"{len(said - there)} of {len(said)} are lost"
    assert len(hosts) == 3 * len(there), "half of a transaction was written"
    with sqlite3.connect(ledger_path(environ)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    file.close()


def wait_for(writers: Writers, amount: int) -> None:
    deadline = time.monotonic() + 120
    while len(writers.committed()) < amount:
        assert time.monotonic() < deadline, "nobody writes any more"
        time.sleep(0.02)


def test_ten_that_begin_at_once_make_one_ledger(tmp_path: Path, environ: dict[str, str]) -> None:
    once = "import sys, os\nfrom provision.ledger.recorder import recorded\nsys.exit(recorded(['up', 'x'], lambda: 0))"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", once],
            cwd=tmp_path,
            env={**os.environ, **environ, "PYTHONPATH": str(SOURCE / "src")},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(WRITERS)
    ]
    said = [one.communicate(timeout=60)[1] for one in started]
    assert [one.returncode for one in started] == [0] * WRITERS
    ledger = open_ledger(environ, writing=False)
    missing = sum(one != "" for one in said)
    assert len(reading.runs(ledger)) == WRITERS - missing
    assert missing == 0, said
    ledger.close()
