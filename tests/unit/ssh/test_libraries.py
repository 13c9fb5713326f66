"""What is left out while fabric and paramiko are imported, seen from a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import provision

SCRIPT = """
import json, sys
from provision.ssh.libraries import load_ssh_libraries
{before}
load_ssh_libraries()
loaded = {{name: name in sys.modules for name in ("fabric", "paramiko", "unittest", "unittest.mock", "asyncio")}}
import unittest.mock
print(json.dumps([loaded, unittest.mock.Mock.__module__, unittest.TestCase.__name__]))
"""


def seen(before: str = "") -> tuple[dict[str, bool], str, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(provision.__file__).parents[1])},
    )
    loaded, mock, case = json.loads(done.stdout)
    return loaded, mock, case


def test_the_libraries_are_loaded_without_the_test_support_that_they_import() -> None:
    loaded, _, _ = seen()
    assert loaded == {"fabric": True, "paramiko": True, "unittest": False, "unittest.mock": False, "asyncio": False}


def test_who_imports_mock_later_gets_the_real_one() -> None:
    assert seen()[1:] == ("unittest.mock", "TestCase")


def test_a_mock_that_is_loaded_already_stays_and_is_what_they_get() -> None:
    loaded, mock, _ = seen("import unittest.mock")
    assert (loaded["unittest.mock"], mock) == (True, "unittest.mock")
    assert loaded["fabric"]


def test_a_loaded_unittest_without_mock_stays() -> None:
    loaded, mock, case = seen("import unittest")
    assert (loaded["unittest"], loaded["unittest.mock"]) == (True, False)
    assert (mock, case) == ("unittest.mock", "TestCase")
