"""A ledger that is broken, full, locked or not there for writing: it says so, and nobody waits for it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.ledger import reading
from provision.ledger.place import ledger_path
from provision.ledger.recorder import LONGEST_WAIT
from provision.ledger.store import open_ledger
from tests.ledger.samples import a_run

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = str(Path(__file__).resolve().parents[2] / "src")


def good(environ: dict[str, str]) -> Path:
    ledger = open_ledger(environ, writing=True)
    for number in range(200):
        ledger.write([a_run(f"20960101T000000Z-{number:06}")])
    ledger.close()
    return ledger_path(environ)


def not_a_database(path: Path) -> None:
    path.write_bytes(b"what is this? " * 1000)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


def torn(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.seek(4096)
        stream.write(os.urandom(path.stat().st_size - 8192))


def another_programs(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE songs (name)")
    file.close()


def without_a_table(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("DROP TABLE runs")
    file.close()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere" / "x")


BROKEN = [not_a_database, truncated, torn, another_programs, without_a_table, a_folder, a_pipe, a_dangling_link]


@pytest.mark.parametrize("breaking", BROKEN, ids=lambda one: one.__name__)
def test_a_broken_file_says_so_and_swallows_what_is_written(
    breaking: Callable[[Path], None], environ: dict[str, str]
) -> None:
    path = good(environ)
    breaking(path)
    ledger = open_ledger(environ, writing=True)
    written = ledger.write([a_run("20960101T000000Z-00000x")])
    ledger.close()
    assert not written
    assert ledger.problem is not None
    assert ledger.problem.startswith(str(path))


@pytest.mark.parametrize("breaking", BROKEN[:-1], ids=lambda one: one.__name__)
def test_a_broken_file_is_read_as_far_as_it_goes_and_never_raises(
    breaking: Callable[[Path], None], environ: dict[str, str]
) -> None:
    breaking(good(environ))
    ledger = open_ledger(environ, writing=False)
    reading.runs(ledger)
    reading.states(ledger)
    reading.findings(ledger, host="x")
    ledger.close()
    assert ledger.problem is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET argv = 'no list'",
        "UPDATE runs SET argv = '{}'",
        "UPDATE runs SET argv = x'ff00'",
        "UPDATE runs SET argv = '" + "[" * 100_000 + "'",
    ],
)
def test_a_row_that_somebody_else_wrote_and_is_none_is_left_out(statement: str, environ: dict[str, str]) -> None:
    path = good(environ)
    with sqlite3.connect(path) as file:
        file.execute(f"{statement} WHERE id LIKE '%00'")
    file.close()
    ledger = open_ledger(environ, writing=False)
    assert len(reading.runs(ledger)) == 198
    assert ledger.problem is None
    ledger.close()


def test_text_that_is_no_utf_8_is_read_all_the_same(environ: dict[str, str]) -> None:
    path = good(environ)
    with sqlite3.connect(path) as file:
        file.execute("UPDATE runs SET user = CAST(x'64ff' AS TEXT)")
    file.close()
    ledger = open_ledger(environ, writing=False)
    assert {one.user for one in reading.runs(ledger)} == {"d\ufffd"}
    ledger.close()


def test_a_state_folder_that_is_a_file_says_so(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    ledger = open_ledger(environ, writing=True)
    assert "Not a directory" in (ledger.problem or "")
    assert "Not a directory" in (open_ledger(environ, writing=True).problem or "")


def test_a_locked_file_is_waited_for_less_than_a_run_would(environ: dict[str, str]) -> None:
    path = good(environ)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    ledger = open_ledger(environ, writing=True, wait=0.2)
    assert not ledger.write([a_run("20960101T000000Z-00000x")])
    took = time.monotonic() - began
    holder.execute("ROLLBACK")
    holder.close()
    assert "locked" in (ledger.problem or "")
    assert took >= 0.1, "it was not waited for at all"


IN_A_RUN = """
import os, resource, sys, time
from provision.ledger.recorder import recorded
{before}
began = time.monotonic()
code = recorded(sys.argv[1:], lambda: 0)
print(code, time.monotonic() - began)
"""


def a_run_of_its_own(environ: dict[str, str], before: str = "") -> tuple[str, float, str]:
    """Return the exit code that a run kept, how long its ledger took, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_RUN.format(before=before), "up", "gpu-box"],
        env={**os.environ, **environ, "PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    code, took = done.stdout.split()
    return code, float(took), done.stderr


def test_a_full_disk_costs_the_run_one_line(environ: dict[str, str]) -> None:
    path = good(environ)
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))"
    code, _, said = a_run_of_its_own(environ, limit)
    assert code == "0"
    assert said.count("\n") == 1
    assert said.startswith(f"note: {path}")
    # What was there before is whole.
    ledger = open_ledger(environ, writing=True)
    assert len(reading.runs(ledger)) == 200
    ledger.close()


def test_a_run_waits_a_second_at_most_for_a_ledger_that_another_holds(environ: dict[str, str]) -> None:
    path = good(environ)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    code, took, said = a_run_of_its_own(environ)
    holder.close()
    assert code == "0"
    assert said.count("\n") == 1
    assert "`provision history` lacks this run" in said
    assert took < LONGEST_WAIT + 5, "the machine may be slow; it must not wait for the holder"


def test_a_ledger_that_answers_never_does_not_hold_a_run(environ: dict[str, str]) -> None:
    never = "import provision.ledger.store as s; s.open_ledger = lambda *_, **__: time.sleep(3600)"
    code, _, said = a_run_of_its_own(environ, never)
    assert (code, said) == ("0", "note: the ledger does not answer; `provision history` lacks this run\n")


def test_a_python_without_sqlite_runs_all_the_same(environ: dict[str, str]) -> None:
    code, _, said = a_run_of_its_own(environ, "sys.modules['sqlite3'] = None")
    assert code == "0"
    assert said.startswith("note: the ledger: ")


@pytest.mark.skipif(os.getuid() != 0, reason="root alone becomes somebody else")
def test_a_folder_that_cannot_be_written_costs_the_run_one_line(environ: dict[str, str], tmp_path: Path) -> None:
    path = good(environ)
    for one in (tmp_path, *tmp_path.parents):
        if one.stat().st_mode & 0o001 == 0:
            one.chmod(one.stat().st_mode | 0o011)
    path.parent.chmod(0o755)
    path.chmod(0o644)
    becoming = "import provision.ledger.store, provision.ledger.told; os.setgid(65534); os.setuid(65534)"
    code, _, said = a_run_of_its_own(environ, becoming)
    assert code == "0"
    assert said.count("\n") == 1
    assert said.startswith(f"note: {path}")
