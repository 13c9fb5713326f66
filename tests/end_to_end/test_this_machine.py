"""What can be wrong with the user's own machine is told in one line, as what it is."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop

WORDS = f"{sys.executable} -m provision"


def shell(laptop: Laptop, line: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=laptop.project,
        env={**laptop.environment, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_full_disk_below_stdout_is_one_line(laptop: Laptop) -> None:
    done = shell(laptop, f"{WORDS} --help >/dev/full")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_below_stderr_changes_no_exit_code(laptop: Laptop) -> None:
    assert shell(laptop, f"{WORDS} plna 2>/dev/full").returncode == 2
    assert shell(laptop, f"{WORDS} --help 2>/dev/full").returncode == 0


@pytest.mark.parametrize("home", ["", "relative"])
def test_a_home_that_is_no_path_puts_no_file_at_the_root_or_here(laptop: Laptop, home: str) -> None:
    before = {Path("/.local").exists(), (laptop.project / "relative").exists()}
    done = shell(laptop, f"{WORDS} hosts", HOME=home, XDG_STATE_HOME=str(laptop.home / "state"))
    assert "Traceback" not in done.stderr
    assert {Path("/.local").exists(), (laptop.project / "relative").exists()} == before


def test_too_few_open_files_are_named_as_such_and_a_bug_stays_a_bug() -> None:
    from provision.cli.main import _local_trouble

    told = _local_trouble(OSError(errno.EMFILE, "Too many open files"))
    assert (told.exit_code, told.message) == (3, "this machine lets us open no more files")
    with pytest.raises(OSError, match="Is a directory"):
        _local_trouble(OSError(errno.EISDIR, "Is a directory"))
