"""What tell_variables.py reads of a prefix."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from provision.remote.sources import source

if TYPE_CHECKING:
    from pathlib import Path


def told(prefix: Path) -> Any:
    command = [sys.executable, "-I", "-c", source("tell_variables.py"), str(prefix)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def state(prefix: Path, text: str) -> Path:
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta/state").write_text(text)
    return prefix


def test_variables_are_told_by_name_and_what_is_no_text_is_not(tmp_path: Path) -> None:
    prefix = state(tmp_path, json.dumps({"version": 1, "env_vars": {"A": "1", "B": 2, "C": "\u00e9\n"}}))
    assert told(prefix) == {"format": 1, "problem": None, "variables": {"A": "1", "C": "\u00e9\n"}}


def test_a_prefix_without_that_file_has_none(tmp_path: Path) -> None:
    assert told(tmp_path) == {"format": 1, "problem": None, "variables": {}}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"env_vars": 3}'])
def test_what_cannot_be_read_is_a_problem_and_not_nothing(tmp_path: Path, text: str) -> None:
    assert told(state(tmp_path, text))["problem"]
