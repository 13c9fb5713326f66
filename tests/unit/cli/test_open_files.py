"""The limit of open files, seen from a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import provision

SCRIPT = """
import resource
from provision.cli.open_files import forks_allowed
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(forks_allowed({forks}, {hosts}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "forks", "hosts", "answer"),
    [
        (64, 4096, 32, 100, "32 286"),
        (64, 100, 32, 100, "8 100"),
        (64, 4096, 32, 1, "32 64"),
        (1024, 4096, 32, 100, "32 1024"),
        (32, 32, 32, 100, "1 32"),
    ],
    ids=["raised as far as needed", "fewer at once", "one host needs no more", "enough", "never none"],
)
def test_as_many_hosts_at_once_as_files_can_be_opened(
    soft: int, hard: int, forks: int, hosts: int, answer: str
) -> None:
    code = SCRIPT.format(soft=soft, hard=hard, forks=forks, hosts=hosts)
    environment = {**os.environ, "PYTHONPATH": str(Path(provision.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == answer
