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
names = ("fabric", "paramiko", "unittest", "unittest.mock", "asyncio", "email")
loaded = {{name: name in sys.modules for name in names}}
import importlib.metadata, unittest.mock, paramiko
assert paramiko.__version__ == importlib.metadata.version("paramiko")
assert importlib.metadata.entry_points()
import invoke.vendor.yaml, yaml
assert invoke.vendor.yaml is not yaml
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
    wanted = {"fabric", "paramiko"}
    assert {name for name, there in loaded.items() if there} == wanted
    assert len(loaded) > len(wanted)


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


def test_metadata_that_is_loaded_already_is_what_they_ask() -> None:
    assert seen("import importlib.metadata")[0]["email"]


def test_another_thread_gets_the_real_metadata_while_they_are_imported() -> None:
    """As one does that imports a library meanwhile."""
    before = """
class Other:
    def find_spec(self, name, path=None, target=None):
        if name == "paramiko.transport":
            import importlib.metadata
            assert importlib.metadata.version("fabric") and importlib.metadata.distribution("fabric")
sys.meta_path.insert(0, Other())
"""
    assert seen(before)[0]["email"]


def test_the_version_is_asked_where_it_cannot_be_seen() -> None:
    """As with an egg, or two versions in one folder."""
    before = """
import provision.ssh.libraries as libraries
libraries.Path.iterdir = lambda folder: [folder / "paramiko-1.dist-info", folder / "paramiko-2.dist-info"]
"""
    assert seen(before)[0]["email"]
